"""letters once: one open letter to a delivery; an alert about a record that is gone is looked for, and not posted any more"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0022"
branch_labels = None
depends_on = None

# Of several open letters about one delivery the first stays: a replay of another would do nothing.
REPEATED = """
UPDATE dead_letters SET state = 'discarded', replayed_at = created_at
WHERE state = 'open' AND EXISTS (
    SELECT 1 FROM dead_letters AS earlier
    WHERE earlier.delivery_id = dead_letters.delivery_id AND earlier.state = 'open' AND earlier.id < dead_letters.id
)
"""


def upgrade() -> None:
    op.execute(sa.text(REPEATED))
    where = sa.text("state = 'open'")
    op.create_index(
        "uq_dead_letters_delivery", "dead_letters", ["delivery_id"], unique=True, sqlite_where=where, postgresql_where=where
    )
    op.add_column("deliveries", sa.Column("withdrawn", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("deliveries", "withdrawn")
    op.drop_index("uq_dead_letters_delivery", table_name="dead_letters")
