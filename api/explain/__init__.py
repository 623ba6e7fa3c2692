"""What changed between two predictions: `POST /explain/compare`."""
