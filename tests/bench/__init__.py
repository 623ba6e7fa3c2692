"""Benchmarks: each a ratio against a named floor, measured in the same run. `make bench`."""
