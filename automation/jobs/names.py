"""Asks the CRM what the account calls its custom fields, where these have keys only: of every kind, whether it asks a model or not.

Events that ask no model are never enriched, and their facts are of use only from the moment at which the key has a name.
"""

from collections.abc import Collection

from automation.pipeline.context import Loop
from automation.sources.properties import KEYED
from data.domain.entity import EntityKind
from data.errors import VendorError
from data.log import get_logger
from data.warehouse import property_names

log = get_logger("names")

EVERY_SECONDS = 3600.0  # a handful of calls; a new field waits no longer than this for its name


def refresh(loop: Loop, sources: Collection[str] = tuple(KEYED)) -> None:
    """Stores the names, and the labels of options, that are new. A kind that cannot be asked now is asked the next time."""
    for source in sources:
        if source in loop.clients.crms:
            for kind in KEYED.get(source, ()):
                _ask(loop, source, kind)


def _ask(loop: Loop, source: str, kind: EntityKind) -> None:
    try:
        names = loop.clients.crms[source].names(kind)
    except VendorError as error:
        log.warning("names.not_asked", source=source, kind=kind, reason=error.detail)
        return
    if names:
        with loop.database.write() as session:
            property_names.add(session, source, kind, names, loop.clock.now())
