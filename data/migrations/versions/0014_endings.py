"""endings: how it ended is put into the alert's own message"""

import sqlalchemy as sa
from alembic import op

import data.column_types

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("uq_deliveries", table_name="deliveries")
    op.create_index("uq_deliveries", "deliveries", ["prediction_id", "destination", "kind"], unique=True)
    op.create_index("ix_deliveries_receipt", "deliveries", ["receipt"])
    op.add_column("outcomes", sa.Column("told_at", data.column_types.UtcDateTime(), nullable=True))
    op.execute(sa.text("UPDATE outcomes SET told_at = received_at"))  # of the past nobody is told any more
    where = sa.text("told_at IS NULL")
    op.create_index("ix_outcomes_untold", "outcomes", ["id"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_index("ix_outcomes_untold", table_name="outcomes")
    op.drop_column("outcomes", "told_at")
    op.execute(sa.text("DELETE FROM deliveries WHERE kind = 'ending'"))
    op.drop_index("ix_deliveries_receipt", table_name="deliveries")
    op.drop_index("uq_deliveries", table_name="deliveries")
    op.create_index("uq_deliveries", "deliveries", ["prediction_id", "destination"], unique=True)
