"""no messages in endings: what was sent told of others in the same digest too, and is made anew each time"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    without = "content - 'message'" if op.get_bind().dialect.name == "postgresql" else "json_remove(content, '$.message')"
    op.execute(sa.text(f"UPDATE deliveries SET content = {without} WHERE kind = 'ending'"))  # noqa: S608 words of our own


def downgrade() -> None:
    """What is sent is made anew."""
