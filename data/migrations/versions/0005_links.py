"""links: events that name others, and entities that have become one"""

import sqlalchemy as sa
from alembic import op

import data.column_types

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # No batch mode: it makes the table anew on SQLite, and what refers to the old one stands in the way.
    op.add_column("events", sa.Column("targets", data.column_types.JsonValue(), server_default="[]", nullable=False))
    into = sa.Column("merged_into_id", ROW_ID, sa.ForeignKey("entities.id"), nullable=True)
    op.add_column("entities", into, inline_references=True)
    op.create_index("ix_entities_merged_into_id", "entities", ["merged_into_id"])


def downgrade() -> None:
    op.drop_index("ix_entities_merged_into_id", table_name="entities")
    op.drop_column("entities", "merged_into_id")
    op.drop_column("events", "targets")
