"""identities of before: keys of what was told before there were any

Records that were heard of before version 0007 are known by their addresses and domains, too, as from now on.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from sqlmodel import Session

import data.column_types
from data.domain.entity import EntityRef
from data.domain.identity import KEYS, key_of_ref, keys_of
from data.warehouse import identities

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

ROWS = 5_000
META = sa.MetaData()
ENTITIES = sa.Table(
    "entities", META, sa.Column("id", sa.BigInteger), sa.Column("source", sa.String), sa.Column("kind", sa.String),
    sa.Column("vendor_id", sa.String),
)  # fmt: skip
FACTS = sa.Table(
    "facts", META, sa.Column("id", sa.BigInteger), sa.Column("entity_id", sa.BigInteger), sa.Column("name", sa.String),
    sa.Column("value", sa.Text), sa.Column("occurred_at", data.column_types.UtcMicros),
)  # fmt: skip


def upgrade() -> None:
    session, now = Session(op.get_bind()), datetime.now(UTC)
    _join(session, _told_by_facts(), now)
    _join(session, _told_by_ids(), now)
    session.flush()


def downgrade() -> None:
    """What is known by now stays known."""


def _told_by_facts() -> sa.Select[tuple[int, str, str, str, str, str | None]]:
    names = sorted({name for several in KEYS.values() for name in several})
    return (
        sa.select(ENTITIES.c.id, ENTITIES.c.source, ENTITIES.c.kind, ENTITIES.c.vendor_id, FACTS.c.name, FACTS.c.value)
        .join(FACTS, FACTS.c.entity_id == ENTITIES.c.id)
        .where(FACTS.c.name.in_(names))
        .order_by(ENTITIES.c.id)
    )


def _told_by_ids() -> sa.Select[tuple[int, str, str, str, str, str | None]]:
    none = sa.literal("")
    return (
        sa.select(ENTITIES.c.id, ENTITIES.c.source, ENTITIES.c.kind, ENTITIES.c.vendor_id, none, sa.null())
        .where(ENTITIES.c.source == "generic")
        .order_by(ENTITIES.c.id)
    )


def _join(session: Session, query: sa.Select[tuple[int, str, str, str, str, str | None]], now: datetime) -> None:
    """Some rows at a time: what is known already changes nothing."""
    for rows in session.execute(query).partitions(ROWS):
        told: dict[identities.Key, set[int]] = {}
        for number, source, kind, vendor_id, name, value in rows:
            ref = EntityRef.model_validate({"source": source, "kind": kind, "id": vendor_id})
            for key in (*keys_of(ref.kind, name, value), key_of_ref(ref)):
                if key is not None:
                    told.setdefault((kind, key), set()).add(number)
        if told:
            identities.join(session, told, now)
