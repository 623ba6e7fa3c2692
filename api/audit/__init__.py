"""The audit trail over HTTP: `GET /audit`."""
