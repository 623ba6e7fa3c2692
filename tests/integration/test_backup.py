"""A back-up is taken while the service runs, and put back elsewhere: nothing is missing, nothing is done twice."""

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console
from sqlmodel import col, select

from automation import audit
from automation.clients.registry import build_clients
from automation.destinations.registry import DESTINATIONS
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.record_fields import FIELDS
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.backup import BackUpFailed, back_up, restore
from data.db import Database
from data.domain.audit import Action
from data.domain.event import Driver
from data.errors import BadInput
from data.settings import Settings
from data.warehouse import census
from data.warehouse.audit import AuditRow
from ml.serving.predictor import Predictor
from scripts.backup import run_backup, run_restore
from tests.conftest import LoopFactory, new_postgres_database
from tests.outbox import contact, score
from tests.support import HOT, NOON, FakeClock, generic, settings_for

MakeSettings = Callable[[], Settings]


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, loop: Loop, tmp_path: Path) -> Settings:
    """The settings of another machine, with an empty database of the same kind and the same vendors."""
    url = f"sqlite:///{tmp_path / 'other' / 'leadloop.db'}"
    if not loop.database.is_sqlite:
        url = new_postgres_database(request.getfixturevalue("postgres_url"))
    given = loop.settings.model_dump(
        include={"hubspot_token", "hubspot_base_url", "slack_token", "slack_base_url", "slack_channel"}
    )
    return settings_for(tmp_path / "other", database_url=url, **given)


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> Loop:
    """Here the loop has HubSpot and Slack."""
    for name, *_ in FIELDS:
        sandbox.define_hubspot_property("contacts", name)
    return make_loop(addresses)


def loop_over(settings: Settings, clock: FakeClock) -> Loop:
    predictor = Predictor(settings.models_dir, hot_threshold=settings.hot_threshold, hot_share=settings.hot_share)
    predictor.refresh()
    return Loop(settings, Database(settings.database_url), clock, predictor, build_clients(settings))


def send_all(loop: Loop) -> None:
    worker.sweep_inbox(loop)
    for destination in DESTINATIONS.values():
        worker.sweep_outbox(loop, destination)


def test_what_was_put_back_goes_on_and_sends_nothing_twice(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, elsewhere: Settings, tmp_path: Path
) -> None:
    clock.follow_the_machine()  # messages are looked for by when they were posted
    contact(sandbox, "1", **HOT)
    contact(sandbox, "2", **HOT)
    score(None, loop, "1", driver="worker")  # type: ignore[arg-type]
    send_all(loop)
    score(None, loop, "2", at_seconds=1, driver="worker")  # type: ignore[arg-type]
    back_up(loop.settings, tmp_path / "copy", NOON)
    send_all(loop)  # goes out after the copy was made, which does not know of it
    assert len(sandbox.messages()) == 2

    card, alerts = restore(elsewhere, tmp_path / "copy", clock.now())
    assert (card.rows["events"], alerts) == (2, 1)
    again = loop_over(elsewhere, clock)
    send_all(again)
    assert len(sandbox.messages()) == 2
    with again.database.read() as session:
        assert census.rows(session) == card.rows
    contact(sandbox, "3", **HOT)
    score(None, again, "3", at_seconds=2, driver="worker")  # type: ignore[arg-type]
    send_all(again)
    assert len(sandbox.messages()) == 3
    again.database.dispose()


def test_a_copy_taken_under_load_has_all_that_was_acknowledged_before(loop: Loop, elsewhere: Settings, tmp_path: Path) -> None:
    ended = threading.Event()
    acknowledged: list[int] = []

    def write_on() -> None:
        while not ended.is_set():
            body = json.dumps([generic(f"lead{len(acknowledged)}@example.com")]).encode()
            acknowledged.append(collect(loop, "generic", body, Driver.WORKER).accepted)

    thread = threading.Thread(target=write_on)
    thread.start()
    try:
        while len(acknowledged) < 20:
            ended.wait(0.01)
        before = len(acknowledged)
        back_up(loop.settings, tmp_path / "copy", NOON)
        after = len(acknowledged) + 1
    finally:
        ended.set()
        thread.join()
    restore(elsewhere, tmp_path / "copy", NOON)
    restored = Database(elsewhere.database_url)
    with restored.read() as session:
        assert before <= census.rows(session)["events"] <= after
    restored.dispose()


def test_a_place_that_is_not_empty_is_left_as_it_is(loop: Loop, elsewhere: Settings, tmp_path: Path) -> None:
    collect(loop, "generic", json.dumps([generic()]).encode(), Driver.WORKER)
    back_up(loop.settings, tmp_path / "copy", NOON)
    with pytest.raises(BadInput, match="exists already"):
        back_up(loop.settings, tmp_path / "copy", NOON)
    with pytest.raises(BadInput, match=r"events|tables"):
        restore(loop.settings, tmp_path / "copy", NOON)
    with pytest.raises(BadInput, match="no back-up"):
        restore(elsewhere, tmp_path, NOON)


def test_a_back_up_of_the_other_kind_or_damaged_is_refused(loop: Loop, elsewhere: Settings, tmp_path: Path) -> None:
    back_up(loop.settings, tmp_path / "copy", NOON)
    (copy,) = [path for path in (tmp_path / "copy").iterdir() if path.name in {"leadloop.db", "leadloop.dump"}]
    other = {"leadloop.db": "leadloop.dump", "leadloop.dump": "leadloop.db"}[copy.name]
    shutil.copytree(tmp_path / "copy", tmp_path / "of_the_other")
    (tmp_path / "of_the_other" / copy.name).rename(tmp_path / "of_the_other" / other)
    with pytest.raises(BadInput, match="other kind"):
        restore(elsewhere, tmp_path / "of_the_other", NOON)
    copy.write_bytes(b"not a copy")
    with pytest.raises((BackUpFailed, BadInput)):
        restore(elsewhere, tmp_path / "copy", NOON)


def test_models_and_mlflows_files_come_along(loop: Loop, elsewhere: Settings, tmp_path: Path) -> None:
    file = Path(loop.settings.mlflow_tracking_uri.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(file)) as store, store:
        store.execute("CREATE TABLE runs (name TEXT)")
        store.execute("INSERT INTO runs VALUES ('first')")
    artifact = loop.settings.mlflow_artifacts_dir / "1" / "card.json"
    artifact.parent.mkdir(parents=True)
    artifact.write_text("{}")
    back_up(loop.settings, tmp_path / "copy", NOON)
    restore(elsewhere, tmp_path / "copy", NOON)
    with closing(sqlite3.connect(elsewhere.mlflow_tracking_uri.removeprefix("sqlite:///"))) as store:
        assert store.execute("SELECT name FROM runs").fetchall() == [("first",)]
    assert (elsewhere.mlflow_artifacts_dir / "1" / "card.json").read_text() == "{}"
    assert (elsewhere.models_dir / "lead_score" / "1").is_dir()


def test_without_a_database_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="LEADLOOP_DATABASE_URL"):
        back_up(settings_for(tmp_path), tmp_path / "copy", NOON)
    assert not (tmp_path / "copy").exists()


def trail(url: str) -> list[tuple[str, str, str]]:
    database = Database(url)
    with database.read() as session:
        rows = session.exec(select(AuditRow).order_by(col(AuditRow.id))).all()
    database.dispose()
    return [(row.action, row.target, row.result) for row in rows]


def test_the_audit_trail_has_the_back_up_and_what_was_put_back(loop: Loop, elsewhere: Settings, tmp_path: Path) -> None:
    copy, console = tmp_path / "copy", Console(quiet=True)
    collect(loop, "generic", json.dumps([generic()]).encode(), Driver.WORKER)
    run_backup(loop.settings, copy, console)
    with pytest.raises(BadInput, match="exists already"):
        run_backup(loop.settings, copy, console)
    with pytest.raises(BadInput, match=r"events|tables"):
        run_restore(loop.settings, copy, console)
    backups = [("backup", str(copy), "done"), ("backup", str(copy), "refused")]
    assert trail(loop.settings.database_url) == [*backups, ("restore", str(copy), "refused")]
    run_restore(elsewhere, copy, console)
    assert trail(elsewhere.database_url) == [("restore", str(copy), "done")], "the copy was made before its own row"
    row = audit.listed(loop.database, action=Action.BACKUP)[-1]
    assert row.actor.startswith("cli:")
    assert row.details["events"] == 1


def test_what_is_refused_makes_no_database(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, database_url=f"sqlite:///{tmp_path / 'nowhere' / 'leadloop.db'}")
    for refused in (run_backup, run_restore):
        with pytest.raises(BadInput):
            refused(settings, tmp_path / "copy", Console(quiet=True))
    assert not (tmp_path / "nowhere").exists()


def test_a_back_up_into_an_empty_postgres_that_is_refused_says_why(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="LEADLOOP_DATABASE_URL"):
        run_backup(settings_for(tmp_path, database_url=database_url), tmp_path / "copy", Console(quiet=True))
