"""The order of an erasure, on one screen. The request is a row before anything is done, and each step may be done twice.

who        their contacts, records, names and addresses in all sources; tombstones, so that nothing new comes of them
payloads   their items are cut out of the bytes as received
rows       everything about their records goes; what others' records say of them is taken out
sweep      whatever else mentions an address of theirs, in any column of any table
files      reports of versions
proof      all of it is searched once more; what is left is told, and why
bytes      what was deleted is overwritten in the database's own files
slack      the messages that told of them are deleted there, by the worker as often as it takes
"""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session

from automation import audit
from automation.erasure import files, payloads, report, sweep, who
from automation.erasure.report import Report
from automation.erasure.sweep import Left, Trace
from automation.pipeline.context import Loop
from data import file_search
from data.domain.audit import Action
from data.domain.entity import EntityRef
from data.domain.mention import ADDRESS, Mentions, normal
from data.domain.person import Person
from data.domain.redaction import Redaction
from data.errors import BadInput, NotFound
from data.lock import PATIENCE_SECONDS
from data.log import get_logger
from data.warehouse import erasure_keys, erasures, person_rows
from data.warehouse.erasure_keys import Digests
from data.warehouse.erasures import ErasureRow, ErasureState, Origin

log = get_logger("privacy")

LOCK = "erasure"
# A row that is stored while its neighbours are searched is found by the next round; tombstones let nothing new come.
MOST_ROUNDS = 3


def ask(loop: Loop, asked: str | EntityRef, origin: Origin) -> int:
    """Stores that whoever has this address or record is to be erased; the worker does it within seconds. Returns its id.

    Raises:
        BadInput: it is no address.
    """
    with loop.database.write() as session:
        return erasures.ask(session, checked(asked) if isinstance(asked, str) else asked, origin, loop.clock.now())


def erase(loop: Loop, erasure_id: int, *, patience_seconds: float = PATIENCE_SECONDS) -> Report:
    """Does what was asked for, or goes on with it. One erasure at a time over all processes.

    Raises:
        NotFound: there is no such erasure. NotReady: another process erases all the while.
    """
    with loop.database.exclusive(LOCK, timeout_seconds=patience_seconds):
        row = _row(loop, erasure_id)
        if row.state == ErasureState.ASKED:
            person = _remove(loop, erasure_id, Person.model_validate(row.person or row.asked))
            _overwrite(loop, erasure_id, person.addresses)
        elif row.state == ErasureState.CLEARING:  # killed in between: whom it was about is known no more
            _overwrite(loop, erasure_id, None)
    return reported(loop, erasure_id)


def reported(loop: Loop, erasure_id: int) -> Report:
    """What an erasure has done so far.

    Raises:
        NotFound: there is no such erasure.
    """
    return report.of(loop, _row(loop, erasure_id))


def would_erase(loop: Loop, address: str) -> dict[str, Any]:
    """Whom an erasure would be about, as its report would say. Nothing is changed.

    Raises:
        BadInput: it is no address.
    """
    return report.found(who.whole(loop, Person(addresses=(checked(address),))))


def checked(address: str) -> str:
    """An address as it is compared.

    Raises:
        BadInput: it is none.
    """
    if ADDRESS.fullmatch(normal(address)) is None:
        raise BadInput("an e-mail address is wanted, as ada@example.com", field="email")
    return normal(address)


def _row(loop: Loop, erasure_id: int) -> ErasureRow:
    with loop.database.read() as session:
        if (row := erasures.get(session, erasure_id)) is None:
            raise NotFound(f"there is no erasure {erasure_id}")
        return row


def _remove(loop: Loop, erasure_id: int, asked: Person) -> Person:
    found = who.whole(loop, asked, keep=lambda session, person: erasures.keep_person(session, erasure_id, person))
    person = found.person
    with loop.database.write() as session:
        redaction = _redaction(person, erasure_keys.digests(session))
        erasures.tell_first(session, erasure_id, report.found(found))
    payloads.cut(loop, erasure_id, person, redaction, (key[0] for table, key in found.places if table == who.PAYLOADS))
    with loop.database.write() as session:
        removed, changed = person_rows.erase(session, erasure_id, redaction, person.linked, loop.clock.now())
        erasures.count(session, erasure_id, "removed", removed)
        erasures.count(session, erasure_id, "changed", changed)
    sweep.clean(loop, erasure_id, found.places, redaction)
    still = _proven(loop, erasure_id, person, redaction)
    changed_files, left_files = files.clean(loop.settings, files.ours(loop.settings, loop.database.files), redaction)
    with loop.database.write() as session:
        erasures.tell(session, erasure_id, report.proven(loop, still, changed_files, left_files))
        erasures.move(session, erasure_id, ErasureState.CLEARING, loop.clock.now())
    return person


def _redaction(person: Person, made: Digests) -> Redaction:
    mentions = Mentions({one: made.token(one) for one in person.addresses}, sweep.phrases_of(person.records))
    return Redaction(person.refs, mentions, person.names)


def _proven(loop: Loop, erasure_id: int, person: Person, redaction: Redaction) -> Sequence[Left]:
    """Searches everything; what is found by then and can be changed is changed, and searched again."""
    for _ in range(MOST_ROUNDS):
        still = list(sweep.left(loop, person))
        places = {(one.table, one.key) for one in still if one.trace is not Trace.NAME and one.column}
        if not places:
            break
        sweep.clean(loop, erasure_id, places, redaction)
    return still


def _overwrite(loop: Loop, erasure_id: int, addresses: Sequence[str] | None) -> None:
    """SQLite overwrites what it deletes with zeros, in its file too once its log is brought there.

    What was deleted before Leadloop asked for that may still be there, and what was moved from one page to another: where an
    address is seen in the file (or it is not known any more, which) the file is written anew.
    """
    database = loop.database
    settled = database.checkpoint()
    if not database.is_sqlite or addresses is None or file_search.search(database.files, addresses):
        database.vacuum(report.touched(_row(loop, erasure_id)))
        settled = database.checkpoint()
    with database.write() as session:
        erasures.tell(session, erasure_id, report.overwritten(database, settled=settled))
        _tell(loop, session, erasures.move(session, erasure_id, ErasureState.DONE, loop.clock.now()))


def _tell(loop: Loop, session: Session, row: ErasureRow) -> None:
    """The one place at which an erasure is over. Who asked for it by hand is in the trail already; a CRM's event is not."""
    removed = row.report.get("removed", {})
    log.info("privacy.erasure.done", erasure_id=row.id, origin=row.origin, **removed)
    audit.record_in(session, loop.clock, f"asked by {row.origin}", Action.ERASE, f"erasure {row.id}", removed=sum(removed.values()))
