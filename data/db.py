"""Engines, sessions and transactions, alike on SQLite and on PostgreSQL."""

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlmodel import Session, SQLModel, create_engine

from data.errors import Busy, NotReady
from data.lock import PATIENCE_SECONDS, file_lock, wait_until
from data.turn import Turn

SQLITE_BUSY_TIMEOUT_MS = 30_000
CHECKPOINT_TRIES, CHECKPOINT_PAUSE_SECONDS = 25, 0.2
# PostgreSQL's connections of one process: those that stay open, and as many more while all are in use. An API process asks with up
# to 40 threads (those of AnyIO), a worker with one for each of its jobs.
KEPT_OPEN, MORE = 20, 20
LOCK_NOT_AVAILABLE, UNDEFINED_TABLE = "55P03", "42P01"  # PostgreSQL's codes


class Database:
    """One engine and its sessions. Nothing is opened before the first session."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.engine = _engine(url, is_sqlite=self.is_sqlite)
        self._writer = self.engine.execution_options(immediate=True)
        # SQLite has one writer. Waiting for a turn is fair and wakes at once; its own busy handler sleeps and polls.
        self._turn = Turn() if self.is_sqlite else None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; rolled back at the end."""
        with away_is_not_ready(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self, *, patience_seconds: float | None = None, first: bool = False) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on an error.

        `patience_seconds`: how long it waits for what others have locked, for ever without. `first`: where there is one writer,
        it goes before the others of this process; for what a caller waits for and is over at once.

        Raises:
            Busy: that was not enough; nothing is written.
        """
        its_turn, session = self._its_turn(patience_seconds, first=first), Session(self._writer, expire_on_commit=False)
        with its_turn, away_is_not_ready(), session:
            with session.begin():
                if patience_seconds is not None and not self.is_sqlite:
                    session.execute(text(f"SET LOCAL lock_timeout = {max(1, round(1000 * patience_seconds))}"))
                yield session

    @contextmanager
    def _its_turn(self, patience_seconds: float | None, *, first: bool = False) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout_seconds=patience_seconds, first=first):
            raise Busy("others are writing to the database; try again")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def exclusive(self, name: str, *, timeout_seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
        """One holder of this name at a time, over all processes that use this database. No transaction is held meanwhile.

        On SQLite a locked file beside the database; on PostgreSQL an advisory lock, which ends with its connection.

        Raises:
            NotReady: somebody else held it all the while, or the database is away.
        """
        with self._locked_file(name, timeout_seconds) if self.is_sqlite else self._advisory_lock(name, timeout_seconds):
            yield

    def _locked_file(self, name: str, timeout_seconds: float) -> AbstractContextManager[Any]:
        path = self.engine.url.database
        in_memory = path in {None, "", ":memory:"}
        return (
            self._its_turn(timeout_seconds)
            if in_memory
            else file_lock(Path(f"{path}.{name}.lock"), timeout_seconds=timeout_seconds)
        )

    @contextmanager
    def _advisory_lock(self, name: str, timeout_seconds: float) -> Iterator[None]:
        key = {"key": int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)}
        with ExitStack() as stack:
            with away_is_not_ready():
                connection = stack.enter_context(self.engine.execution_options(isolation_level="AUTOCOMMIT").connect())
                connection.detach()  # closed at the end and not given back to the pool: the lock never outlives its holder
                take = text("SELECT pg_try_advisory_lock(:key)")
                wait_until(
                    lambda: bool(connection.execute(take, key).scalar_one()),
                    timeout_seconds=timeout_seconds,
                    what=f"the lock {name}",
                )
            try:
                yield
            finally:
                # A closed connection lets go only when the server gets to it; the next in line should not wait for that.
                with suppress(DBAPIError):  # the connection is gone, and the lock with it
                    connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)

    @property
    def files(self) -> list[Path]:
        """The database's own files, where it is one on this machine."""
        path = self.engine.url.database if self.is_sqlite else None
        found = [Path(f"{path}{end}") for end in ("", "-wal")] if path and path != ":memory:" else []
        return [one for one in found if one.is_file()]

    def checkpoint(self) -> bool:
        """Brings SQLite's log into its file, so that what was overwritten is so there too; whether nothing is left in the log.

        Whoever reads an older state keeps the log in use: waited for, but not for ever. PostgreSQL sees to its log by itself.
        """
        for _ in range(CHECKPOINT_TRIES if self.is_sqlite else 0):
            busy, *_ = self._directly("PRAGMA wal_checkpoint(TRUNCATE)")
            if not busy:
                return True
            time.sleep(CHECKPOINT_PAUSE_SECONDS)
        return not self.is_sqlite

    def vacuum(self, tables: Iterable[str]) -> None:
        """Lets go of the room of deleted rows: SQLite writes its whole file anew, PostgreSQL looks through these tables."""
        if self.is_sqlite:
            self._directly("VACUUM")
            return
        with away_is_not_ready(), self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            for table in sorted(tables):
                connection.execute(text(f'VACUUM "{table}"'))

    def _directly(self, statement: str) -> tuple[Any, ...]:
        """Outside any transaction, which these statements do not stand."""
        with self._its_turn(None), away_is_not_ready():
            connection = self.engine.raw_connection()
            try:
                found = connection.cursor().execute(statement).fetchone()
            finally:
                connection.close()
            return tuple(found or ())

    def check(self) -> None:
        """Raises NotReady unless the database answers and has our schema."""
        with self.read() as session:
            session.execute(text("SELECT version_num FROM alembic_version"))

    def dispose(self) -> None:
        self.engine.dispose()


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """A database until the block ends."""
    database = Database(url)
    try:
        yield database
    finally:
        database.dispose()


@contextmanager
def away_is_not_ready() -> Iterator[None]:
    """A database that cannot be used is told as what it is: nothing was stored, try again."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise Busy("others hold what is to be written; try again") from error
        if not _is_away(error):
            raise
        remedy = "its disk may be full: make room on it and try again" if _is_full(error) else "try again"
        raise NotReady(f"the database cannot be used now ({type(error.orig).__name__}); {remedy}") from error


def _is_away(error: DBAPIError) -> bool:
    """Whether the database cannot be used as it is; a mistake of ours is none of these."""
    if isinstance(error, ProgrammingError):
        return getattr(error.orig, "sqlstate", None) == UNDEFINED_TABLE  # as SQLite has it: there is no Leadloop in it, or not yet
    # A file that is no database, or a damaged one, is told by the bare class.
    return isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError


def _is_full(error: DBAPIError) -> bool:
    return any(said in str(error.orig) for said in ("disk I/O error", "disk is full", "No space left on device"))


def insert_new(
    session: Session, table: type[SQLModel], rows: Sequence[dict[str, Any]], unique: Sequence[str], *, where: Any = None
) -> set[Any]:
    """Inserts the rows whose unique key is new; returns the key tuples that were inserted.

    A repeat is dropped by the database itself, so two processes cannot both believe they were first. `where`: of an index
    that is unique only there.
    """
    if not rows:
        return set()
    dialect = session.get_bind().dialect.name
    build = postgresql.insert if dialect == "postgresql" else sqlite.insert
    columns = [getattr(table, name) for name in unique]
    statement = build(table).on_conflict_do_nothing(index_elements=unique, index_where=where).returning(*columns)
    return {tuple(row) for row in session.execute(statement, list(rows))}


def add_new(session: Session, table: type[SQLModel], rows: Sequence[dict[str, Any]]) -> None:
    """Inserts many rows, without those that any unique key of the table has already."""
    if not rows:
        return
    build = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    # The bare table: the rows need nothing of what the ORM would do with each of them.
    session.execute(build(SQLModel.metadata.tables[str(table.__tablename__)]).on_conflict_do_nothing(), list(rows))


def inserting(session: Session, table: type[SQLModel]) -> Any:
    """An INSERT as this database has it, with `on_conflict_do_update`: both understand the same words."""
    build = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    return build(table)


def _engine(url: str, *, is_sqlite: bool) -> Engine:
    # `hide_parameters`: what is stored is customers' data, and has no place in an error that is logged.
    if not is_sqlite:
        return create_engine(url, pool_size=KEPT_OPEN, max_overflow=MORE, pool_pre_ping=True, hide_parameters=True)
    path = url.removeprefix("sqlite:///")
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    seconds = SQLITE_BUSY_TIMEOUT_MS / 1000
    engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": seconds}, hide_parameters=True)
    event.listen(engine, "connect", _on_sqlite_connect)
    event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _on_sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # We say BEGIN ourselves, below.
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # An acknowledged event survives a power cut.
    cursor.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # What is deleted is overwritten with zeros; not all builds do so by themselves.
    cursor.close()


def _on_sqlite_begin(connection: Any) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
