"""The command line and what it starts. Thin: the work is done in the rooms."""

import os

# The libraries read these once, when they load, and `scripts.cli` loads them.
# Threads of the tree libraries that wait must not burn the cores that others need.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Linear algebra on tables of some dozens of columns: a second thread costs more than it brings, up to the largest.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
