"""deal_stages: what the stages of an account's pipelines say; with those that deals have named so far"""

import sqlalchemy as sa
from alembic import op

import data.column_types

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deal_stages",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=True),
        sa.Column("asked_at", data.column_types.UtcDateTime(), nullable=True),
        sa.Column("told_at", data.column_types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("source", "stage"),
    )
    op.execute(
        "INSERT INTO deal_stages (source, stage)"
        " SELECT DISTINCT entities.source, facts.value FROM facts JOIN entities ON entities.id = facts.entity_id"
        " WHERE entities.source = 'hubspot' AND entities.kind = 'deal' AND facts.name = 'dealstage' AND facts.value IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_table("deal_stages")
