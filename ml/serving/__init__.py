"""From a champion to an answer. Nothing here imports mlflow."""
