"""The command line and what it starts. Thin: the work is done in the rooms."""
