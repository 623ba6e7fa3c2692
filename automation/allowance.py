"""How many deliveries n8n may be handed now: its nodes use up the same limits of the vendors as we do."""

from sqlmodel import Session

from automation.destinations.registry import DESTINATIONS
from automation.pipeline.context import Loop
from data.warehouse import paces
from data.warehouse.leases import Grant


def grant_of(loop: Loop, session: Session) -> Grant:
    """Takes from a destination's limit what n8n's node will use up for so many deliveries, or for as many as are left."""

    def grant(name: str, wanted: int) -> int:
        destination = DESTINATIONS[name]
        if not destination.configured(loop.clients):
            return 0
        limit = destination.limit(loop.settings, loop.clients)
        granted, _ = paces.ask(session, limit.name, limit.rate, loop.clock.now(), wanted * limit.calls, vendor=name)
        return granted // limit.calls

    return grant
