"""Alembic's entry point: migrates the database it is handed, or the one the settings name."""

from alembic import context
from sqlmodel import SQLModel

from data.db import Database
from data.settings import load_settings
from data.warehouse import tables

database: Database = context.config.attributes.get("database") or Database(load_settings().database_url)
assert tables.TABLES  # imported for its effect: the metadata knows every table

# As a writer from the beginning: on SQLite a reader cannot become one once somebody else has written.
with database.engine.execution_options(immediate=True).connect() as connection:
    context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=database.is_sqlite)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
