"""privacy: erasures, tombstones of those who were erased, and messages to be taken back"""

import sqlalchemy as sa
from alembic import op

import data.column_types

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "erasure_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "tombstones",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("erased_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("renewed_at", data.column_types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "erasures",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("asked", data.column_types.JsonValue(), nullable=False),
        sa.Column("person", data.column_types.JsonValue(), nullable=False),
        sa.Column("report", data.column_types.JsonValue(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("requested_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("done_at", data.column_types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    waits = sa.text("state = 'asked'")
    op.create_index("uq_erasures_asked", "erasures", ["digest"], unique=True, sqlite_where=waits, postgresql_where=waits)
    op.create_index("ix_erasures_due", "erasures", ["state", "next_attempt_at"])
    op.create_table(
        "retractions",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("erasure_id", ROW_ID, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("block_id", sa.String(), nullable=False),
        sa.Column("receipt", sa.String(), nullable=True),
        sa.Column("posted_since", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["erasure_id"], ["erasures.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("uq_retractions", "retractions", ["block_id"], unique=True)
    op.create_index("ix_retractions_due", "retractions", ["state", "next_attempt_at"])
    op.create_index("ix_retractions_erasure_id", "retractions", ["erasure_id"])


def downgrade() -> None:
    """Those who were erased stay so, but nobody knows them again: what tells of them late would be stored."""
    for table in ("retractions", "erasures", "tombstones", "erasure_keys"):
        op.drop_table(table)
