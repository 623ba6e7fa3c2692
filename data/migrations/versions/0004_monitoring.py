"""monitoring: what looks at the models found, trainings and their reasons, and what people are told of them"""

import sqlalchemy as sa
from alembic import op

import data.column_types

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "model_checks",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("found", data.column_types.JsonValue(), nullable=False),
        sa.Column("checked_at", data.column_types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_model_checks_model", "model_checks", ["model", "id"])
    op.create_table(
        "trainings",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("examples", sa.Integer(), nullable=False),
        sa.Column("keep", data.column_types.JsonValue(), nullable=False),
        sa.Column("version", sa.String(), nullable=True),
        sa.Column("champion", sa.String(), nullable=True),
        sa.Column("figures", data.column_types.JsonValue(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("ended_at", data.column_types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_trainings_model", "trainings", ["model", "id"])
    op.create_table(
        "notices",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("content", data.column_types.JsonValue(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lost_leases", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("receipt", sa.String(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", data.column_types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("uq_notices", "notices", ["key"], unique=True)
    op.create_index("ix_notices_due", "notices", ["state", "next_attempt_at"])
    op.create_index("ix_predictions_as_of", "predictions", ["model", "as_of"])


def downgrade() -> None:
    """What was found, trained and told is forgotten; the versions stay."""
    op.drop_index("ix_predictions_as_of", table_name="predictions")
    for table in ("notices", "trainings", "model_checks"):
        op.drop_table(table)
