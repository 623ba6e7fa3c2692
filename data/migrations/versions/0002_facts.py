"""facts, and what a prediction was made of"""

import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

import data.column_types

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOST_ROWS = 5_000
LONGEST_NAME = 255


def upgrade() -> None:
    op.create_table(
        "facts",
        sa.Column("id", ID, nullable=False),
        sa.Column("entity_id", ID, nullable=False),
        sa.Column("event_id", ID, nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("target_id", ID, nullable=True),
        sa.Column("occurred_at", data.column_types.UtcMicros(), nullable=False),
        sa.Column("known_at", data.column_types.UtcMicros(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("by_us", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["entity_id"], ["entities.id"]),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"]),
        sa.ForeignKeyConstraint(["target_id"], ["entities.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("facts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_facts_entity_id"), ["entity_id"], unique=False)
        batch_op.create_index(
            "ix_facts_target",
            ["target_id"],
            unique=False,
            sqlite_where=sa.text("target_id IS NOT NULL"),
            postgresql_where=sa.text("target_id IS NOT NULL"),
        )
        batch_op.create_index("uq_facts_event", ["event_id", "name"], unique=True)
        batch_op.create_index(
            "uq_facts_told",
            ["entity_id", "name", "occurred_at", "origin"],
            unique=True,
            sqlite_where=sa.text("event_id IS NULL"),
            postgresql_where=sa.text("event_id IS NULL"),
        )

    op.create_table(
        "property_names",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("known_at", data.column_types.UtcMicros(), nullable=False),
        sa.PrimaryKeyConstraint("source", "kind", "key"),
    )

    # No batch mode: it makes the table anew on SQLite, and what refers to the old one stands in the way.
    op.add_column("predictions", sa.Column("as_of", data.column_types.UtcDateTime(), nullable=True))
    op.add_column("predictions", sa.Column("features", data.column_types.JsonValue(), server_default="{}", nullable=False))

    _move_what_is_known(op.get_bind())
    op.drop_column("entities", "known_times")
    op.drop_column("entities", "known_values")


def downgrade() -> None:
    """What is known of the entities is not put back: it comes anew with the next look-ups and events."""
    op.add_column("entities", sa.Column("known_values", data.column_types.JsonValue(), server_default="{}", nullable=False))
    op.add_column("entities", sa.Column("known_times", data.column_types.JsonValue(), server_default="{}", nullable=False))
    op.execute(sa.text("UPDATE entities SET looked_up_at = NULL"))
    op.drop_column("predictions", "features")
    op.drop_column("predictions", "as_of")
    op.drop_table("property_names")
    op.drop_table("facts")


EVENTS = sa.table(
    "events",
    sa.column("id", sa.BigInteger()),
    sa.column("entity_id", sa.BigInteger()),
    sa.column("properties", data.column_types.JsonValue()),
    sa.column("occurred_at", data.column_types.UtcDateTime()),
    sa.column("received_at", data.column_types.UtcDateTime()),
    sa.column("by_us", sa.Boolean()),
)
ENTITIES = sa.table(
    "entities",
    sa.column("id", sa.BigInteger()),
    sa.column("known_values", data.column_types.JsonValue()),
    sa.column("known_times", data.column_types.JsonValue()),
)
FACTS = sa.table(
    "facts",
    sa.column("entity_id", sa.BigInteger()),
    sa.column("event_id", sa.BigInteger()),
    sa.column("name", sa.String()),
    sa.column("value", sa.Text()),
    sa.column("occurred_at", data.column_types.UtcMicros()),
    sa.column("known_at", data.column_types.UtcMicros()),
    sa.column("origin", sa.String()),
    sa.column("by_us", sa.Boolean()),
)


def _move_what_is_known(connection: sa.Connection) -> None:
    """Every stored event tells facts, known since it was received. What is known besides came by look-ups, and when."""
    for rows in _chunks(connection, EVENTS):
        _insert(connection, [fact for row in rows for fact in _told(row)])
    for rows in _chunks(connection, ENTITIES):
        ids = [row.id for row in rows]
        query = sa.select(EVENTS.c.entity_id, EVENTS.c.occurred_at).where(EVENTS.c.entity_id.in_(ids))
        moments = {(entity_id, moment) for entity_id, moment in connection.execute(query)}
        _insert(connection, [fact for row in rows for fact in _looked_up(row, moments)])


def _told(row: sa.Row) -> list[dict]:
    moment = min(row.occurred_at, row.received_at)
    names = {name: value for name, value in row.properties.items() if 0 < len(name) <= LONGEST_NAME} or {"": None}
    return [
        {
            "entity_id": row.entity_id, "event_id": row.id, "name": name, "value": _text(value), "occurred_at": moment,
            "known_at": row.received_at, "origin": "event", "by_us": row.by_us or name.startswith("predicted_"),
        }
        for name, value in names.items()
    ]  # fmt: skip


def _looked_up(row: sa.Row, moments: set) -> list[dict]:
    found = []
    for name, value in row.known_values.items():
        moment = datetime.strptime(row.known_times[name], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        if (row.id, moment) not in moments and 0 < len(name) <= LONGEST_NAME:
            found.append(
                {
                    "entity_id": row.id, "event_id": None, "name": name, "value": _text(value), "occurred_at": moment,
                    "known_at": moment, "origin": "lookup", "by_us": name.startswith("predicted_"),
                }
            )  # fmt: skip
    return found


def _text(value: object) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _chunks(connection: sa.Connection, table: sa.TableClause):
    last = 0
    while rows := connection.execute(sa.select(table).where(table.c.id > last).order_by(table.c.id).limit(MOST_ROWS)).all():
        yield rows
        last = rows[-1].id


def _insert(connection: sa.Connection, facts: list[dict]) -> None:
    if facts:
        connection.execute(sa.insert(FACTS), facts)
