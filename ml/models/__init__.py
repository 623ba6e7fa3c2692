"""What is predicted: one file per model, listed in registry.py."""
