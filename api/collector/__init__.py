"""Door 1: `POST /collect/{source}`."""
