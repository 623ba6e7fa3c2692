"""deleted: of each entity, when it was last deleted, and when it came back"""

import sqlalchemy as sa
from alembic import op

from data.column_types import UtcDateTime

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

NEWEST = """
UPDATE entities SET {column} = (
    SELECT max(events.occurred_at) FROM events WHERE events.entity_id = entities.id AND ({types})
)
WHERE {where}
"""


def upgrade() -> None:
    op.add_column("entities", sa.Column("deleted_at", UtcDateTime(), nullable=True))
    op.add_column("entities", sa.Column("restored_at", UtcDateTime(), nullable=True))
    gone = "events.type LIKE '%.deleted' OR events.type LIKE '%.erased'"
    back = "(events.type LIKE '%.created' OR events.type LIKE '%.restored' OR events.type LIKE '%.changed') AND NOT events.by_us"
    some = f"id IN (SELECT events.entity_id FROM events WHERE {gone})"
    op.execute(sa.text(NEWEST.format(column="deleted_at", types=gone, where=some)))
    op.execute(sa.text(NEWEST.format(column="restored_at", types=back, where="deleted_at IS NOT NULL")))


def downgrade() -> None:
    op.drop_column("entities", "restored_at")
    op.drop_column("entities", "deleted_at")
