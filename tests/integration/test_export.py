"""Any table leaves as a file that has every row, and no secret."""

import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console
from sqlmodel import select

from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.tokens import create
from data.domain.event import Driver
from data.errors import BadInput
from data.settings import Scope
from data.warehouse import export
from data.warehouse.audit import AuditRow
from scripts.exporting import run_export
from tests.support import HOT, NOON, generic

pytestmark = pytest.mark.slow

QUIET = Console(quiet=True)
ENDINGS = ("parquet", "csv")


@pytest.fixture
def told(loop: Loop) -> Loop:
    """Three events, one of which does not fit, with odd bytes beside it."""
    items = [generic(f"lead{number}@example.com", at=NOON + timedelta(seconds=number), **HOT) for number in range(3)]
    collect(loop, "generic", json.dumps([*items, {"id": 'é,\n"x"'}]).encode(), Driver.WORKER)
    collect(loop, "generic", b"\xff\x00 no JSON", Driver.WORKER)
    worker.sweep_inbox(loop)
    return loop


def exported(loop: Loop, table: str, to: Path) -> pl.DataFrame:
    run_export(loop.settings, table, to, QUIET)
    return pl.read_parquet(to) if to.suffix == ".parquet" else pl.read_csv(to, infer_schema=False)


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_table_leaves_whole_and_in_order(told: Loop, tmp_path: Path, ending: str) -> None:
    for table in export.names():
        with told.database.read() as session:
            rows = export.count(session, table)
        frame = exported(told, table, tmp_path / f"{table}.{ending}")
        assert len(frame) == rows, table
        assert frame.columns == list(export.schema(table)), table
        if export.schema(table).get("id") == pl.Int64:
            assert frame["id"].cast(pl.Int64).is_sorted(), table
    assert len(list(tmp_path.glob(f"*.{ending}"))) == len(export.names())
    assert not list(tmp_path.glob(".export-*")), "nothing else is left behind"


def test_parquet_keeps_types_bytes_and_what_is_json(told: Loop, tmp_path: Path) -> None:
    events = exported(told, "events", tmp_path / "events.parquet")
    assert events["occurred_at"].to_list() == [NOON + timedelta(seconds=number) for number in range(3)]
    assert json.loads(events["properties"][0]) == HOT
    bodies = exported(told, "payloads", tmp_path / "payloads.parquet")["body"]
    assert bodies[1] == b"\xff\x00 no JSON"
    assert exported(told, "facts", tmp_path / "facts.parquet")["occurred_at"][0] == NOON


def test_csv_shows_bytes_that_are_no_text(told: Loop, tmp_path: Path) -> None:
    assert exported(told, "payloads", tmp_path / "payloads.csv")["body"][1] == "\\xff\x00 no JSON"


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_secret_goes_out(told: Loop, tmp_path: Path, ending: str) -> None:
    token = create(told.database, told.clock, "test", "n8n", frozenset({Scope.COLLECT})).token
    out = tmp_path / f"api_tokens.{ending}"
    frame = exported(told, "api_tokens", out)
    assert frame["name"].to_list() == ["n8n"]
    assert "digest" not in frame.columns
    assert token.encode() not in out.read_bytes()
    assert out.stat().st_mode & 0o077 == 0, "what it has is for its owner's eyes"


@pytest.mark.parametrize(
    ("table", "to", "said"),
    [
        ("nonsense", "x.csv", "there is no table 'nonsense' to export; there are"),
        ("erasure_keys", "x.csv", "erasure_keys"),
        ("events", "x.xlsx", ".parquet or .csv"),
        ("events", "nowhere/x.csv", "there is no such folder"),
    ],
)
def test_what_cannot_be_is_said(loop: Loop, tmp_path: Path, table: str, to: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        run_export(loop.settings, table, tmp_path / to, QUIET)
    assert not list(tmp_path.glob("x.*"))


def test_the_trail_says_who_took_what(told: Loop, tmp_path: Path) -> None:
    exported(told, "events", tmp_path / "events.csv")
    with told.database.read() as session:
        row = session.exec(select(AuditRow).where(AuditRow.action == "export")).one()
    assert (row.target, row.result, row.details["rows"]) == ("events", "done", 3)
