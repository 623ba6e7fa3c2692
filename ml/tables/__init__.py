"""A user's own table: read, typed and labelled, whatever its dialect."""
