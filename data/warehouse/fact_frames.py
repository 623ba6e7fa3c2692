"""Facts by columns, as the features take them: a few entities with their relations, or all there are.

Rows are fetched in chunks and become columns chunk by chunk: a million rows take some 2 s, and never more than one chunk
of them is a Python object each. (Letting SQLite write CSV for Polars to parse was no faster.)
"""

from collections.abc import Iterable
from typing import Any

import polars as pl
from sqlalchemy import BigInteger, type_coerce
from sqlmodel import Session, col, or_, select

from data.domain.entity import EntityKind
from data.domain.note import HEARD
from data.domain.outcome import ENDINGS
from data.domain.relation import LINK, ROLES
from data.warehouse.entities import EntityRow
from data.warehouse.facts import FactRow

CHUNK_ROWS = 100_000

SCHEMA: dict[str, Any] = {
    "id": pl.Int64,
    "entity": pl.Int64,
    "source": pl.String,
    "kind": pl.String,
    "event": pl.Int64,
    "name": pl.String,
    "value": pl.String,
    "target": pl.Int64,
    "occurred_at": pl.Datetime("us", "UTC"),
    "known_at": pl.Datetime("us", "UTC"),
    "origin": pl.String,
    "by_us": pl.Boolean,
}
_OWNERS = ("source", "kind")
# What a deal says of who it is with and how it ended.
_OF_RELATED_DEALS = sorted({*ROLES, *(name for name, _ in ENDINGS)})


def of_all(session: Session) -> pl.DataFrame:
    """Every fact but those that we wrote ourselves, in the order of their ids: the columns of SCHEMA."""
    return _frame(session, _query())


def of_entities(session: Session, entity_ids: Iterable[int], *, related: bool) -> pl.DataFrame:
    """The facts of a few entities.

    `related`: also those of the companies and contacts that they name, how the deals of these (and of the entities
    themselves) ended, and what the notes about them and their e-mails say.
    """
    ids = set(entity_ids)
    own = _frame(session, _query().where(col(FactRow.entity_id).in_(ids)))
    if not related:
        return own
    targets = _of_kinds(session, own["target"].drop_nulls().to_list()) - ids
    deals = _naming(session, ids | targets, [EntityKind.DEAL]) - ids - targets
    theirs = _query().where(
        or_(
            col(FactRow.entity_id).in_(targets | _naming(session, ids, HEARD)),
            col(FactRow.entity_id).in_(deals)
            & or_(col(FactRow.name).in_(_OF_RELATED_DEALS), col(FactRow.name).startswith(LINK, autoescape=True)),
        )
    )
    return pl.concat([own, _frame(session, theirs)])


def around(session: Session, entity_ids: Iterable[int]) -> pl.DataFrame:
    """The facts of a few entities, of the deals that name them, and of what was written about them or by them."""
    ids = set(entity_ids)
    told = ids | _naming(session, ids, [EntityKind.DEAL, *HEARD])
    return _frame(session, _query().where(col(FactRow.entity_id).in_(told)))


def _of_kinds(session: Session, entity_ids: list[int]) -> set[int]:
    """Those that are contacts or companies."""
    kinds = (EntityKind.CONTACT.value, EntityKind.COMPANY.value)
    query = select(EntityRow.id).where(col(EntityRow.id).in_(entity_ids), col(EntityRow.kind).in_(kinds))
    return {number for number in session.exec(query) if number is not None}


def _naming(session: Session, entity_ids: set[int], kinds: Iterable[EntityKind]) -> set[int]:
    """The entities of these kinds that have ever named one of those."""
    query = (
        select(FactRow.entity_id)
        .join(EntityRow, col(EntityRow.id) == FactRow.entity_id)
        .where(col(FactRow.target_id).in_(entity_ids), col(EntityRow.kind).in_([kind.value for kind in kinds]))
        .distinct()
    )
    return set(session.exec(query))


def _query() -> Any:
    columns: dict[str, Any] = {
        "id": FactRow.id,
        "entity": FactRow.entity_id,
        "event": FactRow.event_id,
        "name": FactRow.name,
        "value": FactRow.value,
        "target": FactRow.target_id,
        "occurred_at": type_coerce(col(FactRow.occurred_at), BigInteger),
        "known_at": type_coerce(col(FactRow.known_at), BigInteger),
        "origin": FactRow.origin,
        "by_us": FactRow.by_us,
    }
    labelled = [column.label(name) for name, column in columns.items()]
    return select(*labelled).where(~col(FactRow.by_us)).order_by(col(FactRow.id))


def _frame(session: Session, query: Any) -> pl.DataFrame:
    read = {name: pl.Int64 if isinstance(kind, pl.Datetime) else kind for name, kind in SCHEMA.items() if name not in _OWNERS}
    result = session.connection().execution_options(stream_results=True).execute(query)
    chunks = [pl.DataFrame(map(tuple, rows), schema=read, orient="row") for rows in result.partitions(CHUNK_ROWS)]
    facts = pl.concat([pl.DataFrame(schema=read), *chunks])
    owned = facts.join(_owners(session, facts["entity"]), on="entity", how="left", maintain_order="left")
    return owned.cast({name: kind for name, kind in SCHEMA.items() if isinstance(kind, pl.Datetime)}).select(list(SCHEMA))


def _owners(session: Session, entities: pl.Series) -> pl.DataFrame:
    """Entity -> its source and kind; of the few that are named, or of all where they are many."""
    query = select(EntityRow.id, EntityRow.source, EntityRow.kind)
    if len(ids := entities.unique()) < CHUNK_ROWS // 10:
        query = query.where(col(EntityRow.id).in_(ids.to_list()))
    schema = {"entity": pl.Int64, "source": pl.String, "kind": pl.String}
    return pl.DataFrame(map(tuple, session.exec(query)), schema=schema, orient="row")
