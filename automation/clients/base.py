"""What the pipeline asks of a CRM, whichever it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from data.domain.entity import EntityKind
from data.domain.money import Account
from data.domain.outcome import Standing
from data.domain.pace import Rate
from data.errors import VendorError

TIMEOUT_SECONDS = 10.0
LABELS_SECONDS = 3600.0  # how long an owner's, a pipeline's or a stage's name is good: it hardly ever changes


def retry_after(value: object) -> float | None:
    """The seconds of a Retry-After header; None where it is missing or a date (which no vendor here sends)."""
    text = str(value or "")
    return float(text) if text.isascii() and text.isdigit() else None


@dataclass(frozen=True)
class Record:
    """One record as the CRM has it, under the CRM's own property names. `created_at`: when the CRM made it."""

    id: str
    properties: dict[str, Any]
    created_at: datetime | None = None


@dataclass(frozen=True)
class Write:
    """Fields for one record."""

    id: str
    properties: dict[str, Any]


class Crm(Protocol):
    """A CRM that can be read in batches of up to `batch_size`, and written `write_size` records at a time."""

    batch_size: int
    write_size: int
    limit: str
    """The name of its limit in the paces."""
    rate: Rate

    def read(self, kind: EntityKind, ids: Sequence[str], properties: Sequence[str]) -> dict[str, Record | VendorError]:
        """The records that exist, by id, or why one that may exist was not given out. Raises Retryable or Permanent."""

    def write(self, kind: EntityKind, writes: Sequence[Write]) -> dict[str, VendorError]:
        """Writes; returns the failures by record id. Raises Retryable or Permanent where the call failed as a whole."""

    def own_properties(self, kind: EntityKind) -> Sequence[str]:
        """The account's own properties, where a read gives only what is named; otherwise none."""

    def names(self, kind: EntityKind) -> dict[str, str]:
        """Property key -> name, where the account's keys do not speak for themselves, and `key=option` -> the option's label
        (`data.domain.option`); otherwise empty.
        """

    def labels(self, kind: EntityKind) -> dict[str, str]:
        """Id -> what people call it, of users, pipelines or stages; LABELS_SECONDS old at most. Raises Retryable or Permanent."""

    def stages(self) -> dict[str, Standing]:
        """Stage of a deal's pipeline -> what it says, where deals do not say it themselves. Raises Retryable or Permanent."""

    def account(self) -> Account:
        """The account's currency and locale, as far as it says them. Raises nothing: it may be asked at any time."""
