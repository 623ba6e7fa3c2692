"""variants: which version answered, what only ran beside it, and the traffic between them"""

import sqlalchemy as sa
from alembic import op

import data.column_types

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_traffic",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("champion", sa.String(), nullable=False),
        sa.Column("challenger", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("since", data.column_types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("model"),
    )
    # No batch mode: it makes the table anew on SQLite, and what refers to the old one stands in the way.
    op.add_column("predictions", sa.Column("variant", sa.String(), server_default="champion", nullable=False))
    op.add_column("predictions", sa.Column("shadow", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.drop_index("uq_predictions", table_name="predictions")
    op.create_index("uq_predictions", "predictions", ["event_id", "model", "shadow"], unique=True)


def downgrade() -> None:
    """What ran in the shadow is lost."""
    op.execute(sa.text("DELETE FROM predictions WHERE shadow"))
    op.drop_index("uq_predictions", table_name="predictions")
    op.create_index("uq_predictions", "predictions", ["event_id", "model"], unique=True)
    op.drop_column("predictions", "shadow")
    op.drop_column("predictions", "variant")
    op.drop_table("model_traffic")
