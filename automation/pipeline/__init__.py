"""One file per stage; run.py shows the order on one screen."""
