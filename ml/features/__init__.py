"""A feature is a function, and its name is the column. sets.py says which model sees which."""
