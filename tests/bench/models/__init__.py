"""Our models against their peers, on the same splits, in the same run: `python -m tests.bench models`."""
