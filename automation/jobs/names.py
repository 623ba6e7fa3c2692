"""Asks the CRM what the account calls its custom fields, where these have keys only: of every kind, whether it asks a model or not.

Events that ask no model are never enriched, and their facts are of use only from the moment at which the key has a name.
"""

from collections.abc import Collection

from automation.pipeline.context import Loop
from automation.sources.properties import KEYED
from data.domain.entity import EntityKind
from data.errors import VendorError
from data.log import get_logger
from data.warehouse import job_runs, property_names

log = get_logger("names")

EVERY_SECONDS = 3600.0  # a handful of calls; a new field waits no longer than this for its name


def sweep(loop: Loop) -> None:
    """Each kind once an hour over all processes, since all read what is stored.

    Not a job that happens `once`: a turn of a process without the CRM, or in vain, must not keep the others from theirs. So who
    starts asks at once for what nobody has got in this hour.
    """
    now = loop.clock.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    for source, kind in _kinds(loop, KEYED):
        turn = f"names.{source}.{kind}"
        with loop.database.write() as session:
            is_ours = job_runs.is_first(session, turn, hour, now)
        if is_ours and not _ask(loop, source, kind):
            with loop.database.write() as session:
                job_runs.give_back(session, turn, hour)


def refresh(loop: Loop, sources: Collection[str] = tuple(KEYED)) -> None:
    """Stores the names, and the labels of options, that are new. A kind that cannot be asked now is asked the next time."""
    for source, kind in _kinds(loop, sources):
        _ask(loop, source, kind)


def _kinds(loop: Loop, sources: Collection[str]) -> list[tuple[str, EntityKind]]:
    return [(source, kind) for source in sources if source in loop.clients.crms for kind in KEYED.get(source, ())]


def _ask(loop: Loop, source: str, kind: EntityKind) -> bool:
    """Whether it was answered."""
    try:
        names = loop.clients.crms[source].names(kind)
    except VendorError as error:
        log.warning("names.not_asked", source=source, kind=kind, reason=error.detail)
        return False
    if names:
        with loop.database.write() as session:
            property_names.add(session, source, kind, names, loop.clock.now())
    return True
