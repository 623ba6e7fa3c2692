"""Erasing a person: run.py has the order."""
