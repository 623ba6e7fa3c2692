"""A training that was started by itself or by hand, and what became of it."""

from enum import StrEnum


class TrainingState(StrEnum):
    RUNNING = "running"
    PROMOTED = "promoted"  # the new version is champion
    CHALLENGER = "challenger"  # the gate left the champion where it is
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # the service was stopped meanwhile, or somebody broke it off: it counts for nothing
