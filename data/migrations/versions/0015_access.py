"""access: tokens by their digests, and the audit trail, to which rows are only added"""

import sqlalchemy as sa
from alembic import op

import data.column_types

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CURRENT = sa.text("replaced_at IS NULL AND revoked_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("scopes", data.column_types.JsonValue(), nullable=False),
        sa.Column("created_at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("expires_at", data.column_types.UtcDateTime(), nullable=True),
        sa.Column("replaced_at", data.column_types.UtcDateTime(), nullable=True),
        sa.Column("revoked_at", data.column_types.UtcDateTime(), nullable=True),
        sa.Column("last_used_at", data.column_types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("uq_api_tokens_digest", "api_tokens", ["digest"], unique=True)
    op.create_index("uq_api_tokens_current", "api_tokens", ["name"], unique=True, sqlite_where=CURRENT, postgresql_where=CURRENT)
    op.create_table(
        "audit",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("at", data.column_types.UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("target", sa.String(200), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("details", data.column_types.JsonValue(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_audit_action", "audit", ["action", "id"])
    for statement in POSTGRES if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)


def downgrade() -> None:
    """Tokens of the settings go on; the trail is lost."""
    op.drop_table("audit")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_only_grows()")
    op.drop_table("api_tokens")


SQLITE = tuple(
    f"CREATE TRIGGER audit_no_{verb} BEFORE {verb} ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END"
    for verb in ("UPDATE", "DELETE")
)
POSTGRES = (
    """CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit trail only grows'; END $$""",
    "CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit EXECUTE FUNCTION audit_only_grows()",
)
