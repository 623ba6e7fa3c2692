"""What was set aside: list and replay."""
