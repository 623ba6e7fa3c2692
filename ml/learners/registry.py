"""TABLE of learners: name -> module with `fit`, `contributions`, `save`, `load`."""

from types import ModuleType

from ml.learners import xgb

LEARNERS: dict[str, ModuleType] = {"xgb": xgb}
