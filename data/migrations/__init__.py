"""Alembic migrations. `upgrade(database)` brings a database to the newest schema; safe to call at every start."""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text

from data.db import Database, away_is_not_ready
from data.errors import NotConfigured
from data.settings import ROOT

# Any number, the same for all processes: PostgreSQL lets one of them migrate while the others wait.
ADVISORY_LOCK = 0x1EAD100D


def upgrade(database: Database, revision: str = "head") -> None:
    """Applies what is missing. Several processes may start at once: one migrates, the others wait for it."""
    config = Config(attributes={"database": database})
    config.set_main_option("script_location", str(ROOT / "data" / "migrations"))
    try:
        with away_is_not_ready():
            if revision == "head" and _revision(database) == head():
                return  # nobody is kept waiting for nothing
            _upgrade(database, config, revision)
    except CommandError as error:
        if "Can't locate revision" not in str(error):
            raise
        raise NotConfigured(
            "the database is of a newer Leadloop than this one: use that, or restore the back-up of before"
        ) from None


def _revision(database: Database) -> str | None:
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The newest revision that this version knows."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "data" / "migrations"))
    return str(ScriptDirectory.from_config(config).get_current_head())


def _upgrade(database: Database, config: Config, revision: str) -> None:
    if database.is_sqlite:
        command.upgrade(config, revision)
        return
    with database.engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
        try:
            command.upgrade(config, revision)
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
