"""What every destination says of itself, and what the worker does with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlmodel import Session

from automation.clients.registry import Clients
from data.domain.delivery import DeliveryKind
from data.domain.entity import EntityRef, Known
from data.domain.pace import Rate
from data.domain.prediction import Prediction
from data.errors import VendorError
from data.settings import Settings
from data.warehouse.deliveries import DeliveryRow


@dataclass(frozen=True)
class Activation:
    """One new prediction on its way out: what it says, of whom, and what was said before."""

    settings: Settings
    delivery_id: str
    entity: EntityRef
    known: Known
    prediction: Prediction
    fields: dict[str, Any]
    base_rate: float
    occurred_at: datetime
    now: datetime
    cooled: bool
    """Whether the record was not hot in between, since the last alert."""
    last_alert_at: datetime | None
    """Both are known of a hot record on its way to a destination of alerts."""
    derived: dict[str, Any] = field(default_factory=dict)
    """What enrichments made of what was known: it travels beside the event."""


@dataclass(frozen=True)
class Limit:
    """A vendor's limit by its name in the paces, and how many calls n8n's node makes of it for each delivery."""

    name: str
    rate: Rate
    calls: int = 1


@dataclass(frozen=True)
class Sent:
    """What became of one delivery: a receipt, or an error."""

    receipt: str | None = None
    error: VendorError | None = None
    doubt: str | None = None
    """Why it may have gone out twice, where that could not be ruled out."""
    withdrawn: bool = False
    """Nobody wants it sent any more, and it was not found where it may have been."""

    @property
    def is_plain(self) -> bool:
        """It was taken, and there is nothing more to be said of it."""
        return self.error is None and self.doubt is None and not self.withdrawn


class Destination(Protocol):
    """Where predictions go. `send` runs outside any transaction."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> DeliveryKind: ...

    @property
    def sweeps(self) -> int:
        """How many sweeps each worker makes side by side, with deliveries of their own: more where a call carries only one."""

    def carrier(self, settings: Settings) -> str:
        """Who carries first by the settings: `n8n` or `worker`."""

    def configured(self, clients: Clients) -> bool: ...

    def content(self, activation: Activation) -> dict[str, Any] | None:
        """What to send, as JSON; None where this prediction has nothing for this destination."""

    def n8n_can(self, activation: Activation) -> bool:
        """Whether n8n's native node can address it."""

    def limit(self, settings: Settings, clients: Clients) -> Limit:
        """The vendor's limit that n8n's node uses up when it carries a delivery."""

    def most_at_once(self, clients: Clients) -> int:
        """How many deliveries a worker takes with one lease: all of them can be sent before it ends."""

    def prepare(self, session: Session, rows: Sequence[DeliveryRow]) -> dict[str, Sent]:
        """Completes what can be known only now, in the transaction that takes them out; what became of those that need not go,
        or cannot go yet. What tells of others than the delivery's own entity is not stored: an erasure would not find it.
        """

    def batches(self, clients: Clients, rows: Sequence[DeliveryRow]) -> list[Sequence[DeliveryRow]]:
        """What goes out together, in order: what became of one batch is stored before the next is sent."""

    def send(self, clients: Clients, rows: Sequence[DeliveryRow]) -> dict[str, Sent]:
        """Sends one batch; one answer for each delivery id."""
