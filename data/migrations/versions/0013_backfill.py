"""backfill: how far the reading of each CRM's past has come, and up to when missed changes were looked for"""

import sqlalchemy as sa
from alembic import op

import data.column_types

revision = "0013"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backfills",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("after", sa.String(), nullable=True),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("facts", sa.Integer(), nullable=False),
        sa.Column("started_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("done_at", data.column_types.UtcDateTime(), nullable=True),
        sa.Column("refused", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("source", "kind"),
    )
    op.create_table(
        "reconciliations",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("seen_until", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("looked_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("missed_ever", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("source", "kind"),
    )
    op.create_table(
        "job_runs",
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("scheduled_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("started_at", data.column_types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("job", "scheduled_at"),
    )


def downgrade() -> None:
    op.drop_table("job_runs")
    op.drop_table("reconciliations")
    op.drop_table("backfills")
