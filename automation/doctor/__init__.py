"""Looks at everything that has to work for the loop to close, and says what to do where it does not."""
