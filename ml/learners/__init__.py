"""How it is learned: one file per learner, listed in registry.py."""
