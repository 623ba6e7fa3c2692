"""Hypothesis for the unit tests: few examples, no deadline on a busy machine, nothing written to disk."""

from hypothesis import settings

settings.register_profile("unit", max_examples=60, deadline=None, database=None)
settings.load_profile("unit")
