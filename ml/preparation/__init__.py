"""Cleaning as an explicit, stored step: a typed frame -> the matrix that a learner sees. Fitted on the training rows only."""
