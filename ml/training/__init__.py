"""From a table to a version: read, split, fit, evaluate."""
