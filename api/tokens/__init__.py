"""Tokens over HTTP: list, create, rotate, revoke."""
