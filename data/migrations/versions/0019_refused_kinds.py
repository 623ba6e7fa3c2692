"""refused kinds: what a CRM does not let us look for changes in, and why; nothing was ever kept in the column before"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("reconciliations", "place", new_column_name="refused")


def downgrade() -> None:
    op.alter_column("reconciliations", "refused", new_column_name="place")
