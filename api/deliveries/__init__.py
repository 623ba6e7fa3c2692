"""The outbox over HTTP: list, lease, confirm, fail."""
