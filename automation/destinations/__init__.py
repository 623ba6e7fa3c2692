"""One file per destination: what is sent there, who carries it, and how the worker sends it."""
