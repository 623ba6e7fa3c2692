"""rounds: how far each round over the known records has come, and what became of Pipedrive's webhook"""

import sqlalchemy as sa
from alembic import op

import data.column_types

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rounds",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("began_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("after", sa.String(), nullable=True),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("found_ever", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("source", "kind"),
    )
    op.create_table(
        "webhooks",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("looked_at", data.column_types.UtcDateTime(), nullable=True),
        sa.Column("seen_at", data.column_types.UtcDateTime(), nullable=True),
        sa.Column("refused", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("source"),
    )


def downgrade() -> None:
    op.drop_table("webhooks")
    op.drop_table("rounds")
