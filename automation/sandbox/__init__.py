"""Stand-ins for the vendors on loopback. They speak the vendors' wire formats and share no code with what we check them by."""
