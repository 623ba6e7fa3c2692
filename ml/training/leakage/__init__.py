"""The leak guard: finds the columns that know the answer, before anything is trained on them."""

from ml.training.leakage.findings import Findings, Reason, RowFinding, RowReason, Suspect
from ml.training.leakage.guard import find_leaks

__all__ = ["Findings", "Reason", "RowFinding", "RowReason", "Suspect", "find_leaks"]
