"""What the leak guard says: suspects (columns) and row findings, each with its evidence in one sentence."""

import shlex
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    TARGET_COPY = "target_copy"  # the target under other words
    PURE_VALUES = "pure_values"  # values that only one outcome has
    FILLED_FOR_ONE = "filled_for_one"  # filled, or missing, for one outcome only
    TOO_GOOD = "too_good"  # alone it tells more than the rest of the table makes plausible
    CHANGED_LATE = "changed_late"  # changed when the outcome was known
    IDENTIFIER = "identifier"  # names the row and says nothing about the next one
    CLOCK = "clock"  # a running number or stamp that is the row's time in disguise


class RowReason(StrEnum):
    DUPLICATES = "duplicates"  # the same row in the older and in the newest part
    SHARED_GROUPS = "shared_groups"  # the same customer in the older and in the newest part


@dataclass(frozen=True)
class Suspect:
    """A column that knows, or may know, the answer. `weight` is the share of the outcome that it gives away, 0 to 1."""

    column: str
    reason: Reason
    evidence: str
    left_out: bool
    weight: float

    @property
    def listed(self) -> str:
        """The column as `--keep` takes it, on a command line."""
        return shlex.quote(f'"{self.column}"' if "," in self.column else self.column)


@dataclass(frozen=True)
class RowFinding:
    """Rows of the newest part (`rows` of them) that the older part has already shown. A note: nothing is left out."""

    reason: RowReason
    rows: int
    evidence: str


@dataclass(frozen=True)
class Findings:
    """Suspects, the heaviest first; at most one for a column, with its strongest reason."""

    suspects: tuple[Suspect, ...] = ()
    rows: tuple[RowFinding, ...] = ()

    @property
    def left_out(self) -> frozenset[str]:
        return frozenset(suspect.column for suspect in self.suspects if suspect.left_out)
