"""ends revised: whose end is no longer what was told, so that the alert's message goes back"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("entities", sa.Column("end_revised", sa.Boolean(), server_default=sa.false(), nullable=False))
    where = sa.text("end_revised")
    op.create_index("ix_entities_end_revised", "entities", ["id"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_index("ix_entities_end_revised", table_name="entities")
    op.drop_column("entities", "end_revised")
