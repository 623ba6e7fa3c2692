"""Writing fields back to a CRM record: what HubSpot and Pipedrive have in common."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlmodel import Session

from automation.clients.base import Crm, Write
from automation.clients.registry import Clients
from automation.destinations.base import Activation, Limit, Sent
from data.domain.delivery import DeliveryKind, PredictedFields, WriteBack
from data.domain.entity import EntityKind
from data.errors import Permanent, VendorError
from data.settings import Settings
from data.warehouse.deliveries import DeliveryRow

# HubSpot's node writes by e-mail address and makes a new contact where there is none: an old address is not used for it.
FRESH_ADDRESS = timedelta(hours=1)


@dataclass(frozen=True)
class CrmDestination:
    """A CRM gets the fields of those records that it sent us events about."""

    name: str
    n8n_needs_email: bool
    n8n_calls: int
    """How often n8n's node calls the CRM for one record: HubSpot's reads the record again that it has written."""
    sweeps: int = 1
    kind: DeliveryKind = DeliveryKind.WRITE_BACK

    def carrier(self, settings: Settings) -> str:
        return str(getattr(settings, f"deliver_{self.name}"))

    def configured(self, clients: Clients) -> bool:
        return self.name in clients.crms

    def content(self, activation: Activation) -> dict[str, Any] | None:
        if activation.entity.source != self.name:
            return None
        email = activation.known.values.get("email")
        content = WriteBack(
            object=activation.entity.kind,
            id=activation.entity.id,
            email=str(email) if email else None,
            properties=PredictedFields.model_validate(activation.fields),
        )
        return content.model_dump(mode="json", exclude_none=False)

    def n8n_can(self, activation: Activation) -> bool:
        """A contact, and for HubSpot's node (which creates whom it does not find) one whose address is known to be current."""
        if activation.entity.kind is not EntityKind.CONTACT:
            return False
        if not self.n8n_needs_email:
            return True
        checked_at = activation.known.times.get("email")
        fresh = checked_at is not None and checked_at >= activation.now - FRESH_ADDRESS
        return fresh and bool(activation.known.values.get("email"))

    def limit(self, settings: Settings, clients: Clients) -> Limit:
        crm = clients.crms[self.name]
        return Limit(crm.limit, crm.rate, self.n8n_calls)

    def most_at_once(self, clients: Clients) -> int:
        return clients.crms[self.name].write_size

    def prepare(self, session: Session, rows: Sequence[DeliveryRow]) -> dict[str, Sent]:
        return {}

    def batches(self, clients: Clients, rows: Sequence[DeliveryRow]) -> list[Sequence[DeliveryRow]]:
        return [rows] if rows else []

    def send(self, clients: Clients, rows: Sequence[DeliveryRow]) -> dict[str, Sent]:
        crm = clients.crms[self.name]
        by_kind: dict[EntityKind, list[DeliveryRow]] = defaultdict(list)
        for row in rows:
            by_kind[EntityKind(row.content["object"])].append(row)
        sent: dict[str, Sent] = {}
        for kind, group in by_kind.items():
            sent |= _write(crm, kind, group)
        return sent


def _write(crm: Crm, kind: EntityKind, rows: Sequence[DeliveryRow]) -> dict[str, Sent]:
    writes = [Write(row.content["id"], row.content["properties"]) for row in rows]
    try:
        failures = crm.write(kind, writes)
    except VendorError as error:
        if isinstance(error, Permanent) and error.content and len(rows) > 1:  # one of them spoils it for the others
            half = len(rows) // 2
            return _write(crm, kind, rows[:half]) | _write(crm, kind, rows[half:])
        return {row.id: Sent(error=error) for row in rows}
    return {row.id: Sent(error=failures.get(row.content["id"])) for row in rows}


HUBSPOT = CrmDestination("hubspot", n8n_needs_email=True, n8n_calls=2)
PIPEDRIVE = CrmDestination("pipedrive", n8n_needs_email=False, n8n_calls=1, sweeps=4)
