"""identities: which records are the same person or company"""

import sqlalchemy as sa
from alembic import op

import data.column_types

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "identity_keys",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("uq_identity_keys", "identity_keys", ["kind", "key"], unique=True)
    op.create_table(
        "identity_members",
        sa.Column("key_id", ROW_ID, nullable=False),
        sa.Column("entity_id", ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["identity_keys.id"]),
        sa.PrimaryKeyConstraint("key_id", "entity_id"),
    )
    op.create_index("ix_identity_members_entity", "identity_members", ["entity_id"])
    op.create_table(
        "same_entities",
        sa.Column("entity_id", ROW_ID, nullable=False),
        sa.Column("same_id", ROW_ID, nullable=False),
        sa.Column("since", data.column_types.UtcMicros(), nullable=False),
        sa.PrimaryKeyConstraint("entity_id", "same_id"),
    )


def downgrade() -> None:
    op.drop_table("same_entities")
    op.drop_table("identity_members")
    op.drop_table("identity_keys")
