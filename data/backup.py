"""Everything that a Leadloop is, copied into one folder while it runs, and put back into an empty place."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError
from sqlalchemy.engine import make_url

from data.db import opened
from data.errors import BadInput, LeadloopError
from data.migrations import upgrade
from data.settings import SQLITE, Settings
from data.warehouse import census, resending

SQLITE_COPY, POSTGRES_COPY, MLFLOW_COPY, CARD = "leadloop.db", "leadloop.dump", "mlflow.db", "backup.json"
PAGES_AT_ONCE = 4096  # 16 MiB: writers come in between


class BackUpFailed(LeadloopError):
    """The copy is not complete."""


class Card(BaseModel):
    """What a back-up says of itself."""

    made_at: datetime
    schema_version: str
    rows: dict[str, int]


def back_up(settings: Settings, to: Path, now: datetime) -> Card:
    """Copies databases, models and MLflow's files. The service may run: each database is copied as of one moment.

    Raises:
        BadInput: there is something at `to` already, or no Leadloop in the database.
        BackUpFailed: a copy could not be made; nothing is left at `to`.
    """
    if to.exists():
        raise BadInput(f"{to} exists already: name a folder that does not")
    card = _card(settings, now)
    partial = to.with_name(f"{to.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)  # it has what people wrote, and who they are
    try:
        with _told():
            _fill(settings, partial)
            (partial / CARD).write_text(card.model_dump_json(indent=2) + "\n")
            partial.rename(to)
    except BackUpFailed:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return card


def restore(settings: Settings, source: Path, now: datetime) -> tuple[Card, int]:
    """Puts a back-up into a database and a folder without anything; returns its card, and how many alerts waited then.

    Raises:
        BadInput: it is no back-up, or one of the other kind of database, or the place is not empty.
        BackUpFailed: it could not be put back.
    """
    card = _read_card(source)
    copy = source / (SQLITE_COPY if settings.is_sqlite else POSTGRES_COPY)
    if not copy.is_file():
        raise BadInput(f"{source} has no {copy.name}: it is a back-up of the other kind of database (LEADLOOP_DATABASE_URL)")
    _must_be_empty(settings)
    with _told():
        _put_back(settings, source, copy)
    with opened(settings.database_url) as database:
        upgrade(database)
        with database.write() as session:
            return card, resending.doubt_all(session, now)


def _fill(settings: Settings, folder: Path) -> None:
    if (file := _file_of(settings.database_url)) is not None:
        _copy_sqlite(file, folder / SQLITE_COPY)
    else:
        _run("pg_dump", "--format=custom", f"--file={folder / POSTGRES_COPY}", url=settings.database_url)
    # After the database: whatever version it names is there by now.
    for made in (settings.models_dir, settings.mlflow_artifacts_dir):
        if made.is_dir():
            shutil.copytree(made, folder / made.name)
    if (mlflow := _file_of(settings.mlflow_tracking_uri)) is not None and mlflow.is_file():
        _copy_sqlite(mlflow, folder / MLFLOW_COPY)


def _put_back(settings: Settings, source: Path, copy: Path) -> None:
    if (file := _file_of(settings.database_url)) is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        for old in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))):
            old.unlink(missing_ok=True)
        _copy_sqlite(copy, file)
    else:
        _run("pg_restore", "--no-owner", "--exit-on-error", str(copy), url=settings.database_url)
    for folder in (settings.models_dir, settings.mlflow_artifacts_dir):
        if (source / folder.name).is_dir():
            shutil.copytree(source / folder.name, folder, dirs_exist_ok=True)
    if (mlflow := _file_of(settings.mlflow_tracking_uri)) is not None and (source / MLFLOW_COPY).is_file():
        mlflow.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / MLFLOW_COPY, mlflow)


def _card(settings: Settings, now: datetime) -> Card:
    if (file := _file_of(settings.database_url)) is not None and not file.is_file():
        raise BadInput(f"there is no {file}: LEADLOOP_DATABASE_URL names another database than the service has")
    with opened(settings.database_url) as database, database.read() as session:
        if (version := census.schema(session)) is None:
            raise BadInput("there is no Leadloop in that database (LEADLOOP_DATABASE_URL): start the service once")
        return Card(made_at=now, schema_version=version, rows=census.rows(session))


def _read_card(source: Path) -> Card:
    try:
        return Card.model_validate(json.loads((source / CARD).read_text()))
    except (OSError, ValueError, ValidationError):
        raise BadInput(f"{source} is no back-up: it has no {CARD} that says so") from None


def _must_be_empty(settings: Settings) -> None:
    """PostgreSQL: without tables. A SQLite file may be there, as a first start of the service leaves it, but without events."""
    if (file := _file_of(settings.database_url)) is not None and not file.is_file():
        return
    with opened(settings.database_url) as database, database.read() as session:
        if census.schema(session) is not None and census.rows(session)["events"]:
            raise BadInput("the database has events: restore into another one (LEADLOOP_DATABASE_URL)")
        if not settings.is_sqlite and census.tables(session):
            raise BadInput("the database has tables: restore into one that was just created (LEADLOOP_DATABASE_URL)")


def _copy_sqlite(file: Path, to: Path) -> None:
    """Page by page, as of one moment, with the service writing on; then looked over. Leaves nothing that is damaged."""
    try:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(to)) as copy:
            source.backup(copy, pages=PAGES_AT_ONCE)
            (said,) = copy.execute("PRAGMA quick_check").fetchone()
    except sqlite3.Error as error:
        said = str(error)
    if said != "ok":
        to.unlink(missing_ok=True)
        raise BackUpFailed(f"{file}: {said}")


def _run(program: str, *arguments: str, url: str) -> None:
    """The password goes by the environment: everybody on the machine may read a command line."""
    if (path := shutil.which(program)) is None:
        raise BackUpFailed(f"{program} is not installed: it comes with PostgreSQL's client, of the server's version or newer")
    place = make_url(url)
    plain = place._replace(drivername="postgresql", password=None).render_as_string()
    env = {**os.environ, **({"PGPASSWORD": str(place.password)} if place.password else {})}
    subprocess.run([path, *arguments, f"--dbname={plain}"], check=True, capture_output=True, text=True, env=env)


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong below, as one line."""
    try:
        yield
    except subprocess.CalledProcessError as error:
        lines = str(error.stderr or "").strip().splitlines()
        raise BackUpFailed(f"{Path(error.cmd[0]).name}: {lines[-1] if lines else f'status {error.returncode}'}") from error
    except (OSError, sqlite3.Error) as error:
        raise BackUpFailed(str(error)) from error


def _file_of(url: str) -> Path | None:
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None
