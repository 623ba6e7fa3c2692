"""enrichment: company data with its cache and its budget, what is tried again, what is derived beside an event"""

import sqlalchemy as sa
from alembic import op

import data.column_types

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "company_profiles",
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("profile", data.column_types.JsonValue(), nullable=True),
        sa.Column("looked_up_at", data.column_types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("domain", "provider"),
    )
    op.create_table(
        "company_data_use",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "day"),
    )
    op.create_table(
        "enrichment_tries",
        sa.Column("entity_id", ROW_ID, nullable=False),
        sa.Column("enrichment", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", data.column_types.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["entity_id"], ["entities.id"]),
        sa.PrimaryKeyConstraint("entity_id", "enrichment"),
    )
    op.create_index("ix_enrichment_tries_due", "enrichment_tries", ["next_attempt_at"])
    # No batch mode: it makes the table anew on SQLite, and what refers to the old one stands in the way.
    op.add_column("events", sa.Column("derived", data.column_types.JsonValue(), server_default="{}", nullable=False))


def downgrade() -> None:
    """What was found and derived is forgotten; the facts that were made of it stay."""
    op.drop_column("events", "derived")
    op.drop_index("ix_enrichment_tries_due", table_name="enrichment_tries")
    for table in ("enrichment_tries", "company_data_use", "company_profiles"):
        op.drop_table(table)
