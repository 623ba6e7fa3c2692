"""Door 2: `POST /score`, `POST /predict/events`."""
