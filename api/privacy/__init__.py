"""Erasing a person, and what became of it."""
