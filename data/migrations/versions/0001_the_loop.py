"""the loop"""

import sqlalchemy as sa
from alembic import op

import data.column_types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "entities",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("vendor_id", sa.String(), nullable=False),
        sa.Column("known_values", data.column_types.JsonValue(), nullable=False),
        sa.Column("known_times", data.column_types.JsonValue(), nullable=False),
        sa.Column("looked_up_at", data.column_types.UtcDateTime(), nullable=True),
        sa.Column("lease_id", sa.String(), nullable=True),
        sa.Column("lease_until", data.column_types.UtcDateTime(), nullable=True),
        sa.Column("created_at", data.column_types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("entities", schema=None) as batch_op:
        batch_op.create_index("uq_entities", ["source", "kind", "vendor_id"], unique=True)

    op.create_table(
        "payloads",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("driver", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("payloads", schema=None) as batch_op:
        batch_op.create_index("ix_payloads_state", ["state", "received_at"], unique=False)

    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("dedupe_key", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("entity_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("payload_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("occurred_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("received_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("properties", data.column_types.JsonValue(), nullable=False),
        sa.Column("previous", data.column_types.JsonValue(), nullable=False),
        sa.Column("by_us", sa.Boolean(), nullable=False),
        sa.Column("models", data.column_types.JsonValue(), nullable=False),
        sa.Column("notes", data.column_types.JsonValue(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("driver", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("lease_id", sa.String(), nullable=True),
        sa.Column("lease_until", data.column_types.UtcDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("done_at", data.column_types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["entities.id"],
        ),
        sa.ForeignKeyConstraint(
            ["payload_id"],
            ["payloads.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_due", ["state", "next_attempt_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_events_entity_id"), ["entity_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_events_payload_id"), ["payload_id"], unique=False)
        batch_op.create_index("ix_events_received", ["received_at"], unique=False)
        batch_op.create_index("uq_events_dedupe", ["source", "dedupe_key"], unique=True)

    op.create_table(
        "outcomes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entity_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("occurred_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("received_at", data.column_types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["entities.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.create_index("uq_outcomes", ["entity_id", "result", "occurred_at"], unique=True)

    op.create_table(
        "dead_letters",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("payload_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("delivery_id", sa.String(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("replayed_at", data.column_types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
        ),
        sa.ForeignKeyConstraint(
            ["payload_id"],
            ["payloads.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dead_letters_event_id"), ["event_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_dead_letters_payload_id"), ["payload_id"], unique=False)
        batch_op.create_index("ix_dead_letters_state", ["state", "created_at"], unique=False)

    op.create_table(
        "predictions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entity_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("grade", sa.String(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False),
        sa.Column("base_value", sa.Float(), nullable=False),
        sa.Column("factors", data.column_types.JsonValue(), nullable=False),
        sa.Column("fields", data.column_types.JsonValue(), nullable=False),
        sa.Column("occurred_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("created_at", data.column_types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["entities.id"],
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("predictions", schema=None) as batch_op:
        batch_op.create_index("ix_predictions_entity", ["entity_id", "model", "occurred_at", "event_id"], unique=False)
        batch_op.create_index("uq_predictions", ["event_id", "model"], unique=True)

    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("prediction_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entity_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("content", data.column_types.JsonValue(), nullable=False),
        sa.Column("occurred_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("carrier", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("lease_id", sa.String(), nullable=True),
        sa.Column("lease_until", data.column_types.UtcDateTime(), nullable=True),
        sa.Column("lost_leases", sa.Integer(), nullable=False),
        sa.Column("sent_by", sa.String(), nullable=True),
        sa.Column("receipt", sa.String(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("confirmed_at", data.column_types.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["entities.id"],
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
        ),
        sa.ForeignKeyConstraint(
            ["prediction_id"],
            ["predictions.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index("ix_deliveries_due", ["state", "next_attempt_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_deliveries_event_id"), ["event_id"], unique=False)
        batch_op.create_index("ix_deliveries_key", ["destination", "entity_id", "kind", "occurred_at"], unique=False)
        batch_op.create_index("uq_deliveries", ["prediction_id", "destination"], unique=True)
        batch_op.create_index(
            "uq_deliveries_leased",
            ["destination", "entity_id", "kind"],
            unique=True,
            sqlite_where=sa.text("state = 'leased'"),
            postgresql_where=sa.text("state = 'leased'"),
        )
        batch_op.create_index(
            "uq_deliveries_pending",
            ["destination", "entity_id", "kind"],
            unique=True,
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )


def downgrade() -> None:
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_deliveries_pending", sqlite_where=sa.text("state = 'pending'"), postgresql_where=sa.text("state = 'pending'")
        )
        batch_op.drop_index(
            "uq_deliveries_leased", sqlite_where=sa.text("state = 'leased'"), postgresql_where=sa.text("state = 'leased'")
        )
        batch_op.drop_index("uq_deliveries")
        batch_op.drop_index("ix_deliveries_key")
        batch_op.drop_index(batch_op.f("ix_deliveries_event_id"))
        batch_op.drop_index("ix_deliveries_due")

    op.drop_table("deliveries")
    with op.batch_alter_table("predictions", schema=None) as batch_op:
        batch_op.drop_index("uq_predictions")
        batch_op.drop_index("ix_predictions_entity")

    op.drop_table("predictions")
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.drop_index("ix_dead_letters_state")
        batch_op.drop_index(batch_op.f("ix_dead_letters_payload_id"))
        batch_op.drop_index(batch_op.f("ix_dead_letters_event_id"))

    op.drop_table("dead_letters")
    with op.batch_alter_table("outcomes", schema=None) as batch_op:
        batch_op.drop_index("uq_outcomes")

    op.drop_table("outcomes")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index("uq_events_dedupe")
        batch_op.drop_index("ix_events_received")
        batch_op.drop_index(batch_op.f("ix_events_payload_id"))
        batch_op.drop_index(batch_op.f("ix_events_entity_id"))
        batch_op.drop_index("ix_events_due")

    op.drop_table("events")
    with op.batch_alter_table("payloads", schema=None) as batch_op:
        batch_op.drop_index("ix_payloads_state")

    op.drop_table("payloads")
    with op.batch_alter_table("entities", schema=None) as batch_op:
        batch_op.drop_index("uq_entities")

    op.drop_table("entities")
