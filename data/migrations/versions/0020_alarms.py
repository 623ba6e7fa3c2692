"""alarms: the faults that were found, and whether people were told"""

import sqlalchemy as sa
from alembic import op

import data.column_types

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarms",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("began_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    op.drop_table("alarms")
