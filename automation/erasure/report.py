"""What an erasure has found and done, and what it could not reach. It names nobody: it may be kept."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from automation.erasure import files
from automation.erasure.sweep import Left, Trace
from automation.erasure.who import Found
from automation.pipeline.context import Loop
from data.db import Database
from data.warehouse import retractions, texts
from data.warehouse.erasures import ErasureRow, ErasureState, Origin
from ml import copies

WHY: dict[Trace, str] = {
    Trace.ADDRESS: "was stored while it was searched: erase once more",
    Trace.RECORD: "was stored while it was searched: erase once more",
    Trace.NAME: "the same name, in a row that has nothing to do with theirs: it may be somebody else's",
}
OUT_OF_REACH: tuple[str, ...] = (
    "the CRM itself, and the predicted_ fields that were written there: erase the person there too",
    "back-ups of the database: let them expire, and erase once more after a restore",
    "what people or exports have copied out of Slack, and messages that Slack refuses to delete",
    "n8n's own record of its executions, which it keeps for as long as its settings say",
    "logs that were written before",
    "models that were trained before: they hold figures that this person was one of many in, and no row that names anybody",
)
OVERWRITTEN = "overwritten in the database's file and in its log"
LOG_IN_USE = "overwritten in the database's file; somebody reads an old state, and its log is emptied when they are done"
VACUUMED = "vacuumed: no query finds them; their bytes go when PostgreSQL uses their place again (docs/privacy.md)"


class LeftOver(BaseModel):
    """Where something is left, in how many rows, and why."""

    model_config = ConfigDict(frozen=True)

    where: str
    rows: int
    why: str


class Report(BaseModel):
    """`records`: source and kind -> how many; `found`: column -> cells that had an address of theirs; `removed`: table -> rows;
    `changed`: column -> cells of others' rows; `payloads`: what became of the bytes as received; `slack`: state -> messages;
    `models`: versions that were there, and may have learned from them.
    """

    id: int
    state: ErasureState
    origin: Origin
    requested_at: datetime
    done_at: datetime | None = None
    error: str | None = None
    records: dict[str, int] = {}
    found: dict[str, int] = {}
    shared_addresses: int = 0
    """Addresses of theirs that others have too, as info@: these were left alone."""
    removed: dict[str, int] = {}
    changed: dict[str, int] = {}
    payloads: dict[str, int] = {}
    files_changed: tuple[str, ...] = ()
    searched: dict[str, int] = {}
    left: tuple[LeftOver, ...] = ()
    bytes: str = ""
    slack: dict[str, int] = {}
    models: tuple[str, ...] = ()
    out_of_reach: tuple[str, ...] = OUT_OF_REACH


def of(loop: Loop, row: ErasureRow) -> Report:
    assert row.id is not None
    with loop.database.read() as session:
        slack = retractions.counts(session, row.id)
    told = row.model_dump(include={"id", "state", "origin", "requested_at", "done_at", "error"})
    return Report.model_validate({**row.report, **told, "slack": slack})


def found(who: Found) -> dict[str, Any]:
    """Before anything goes."""
    records = Counter(f"{ref.source} {ref.kind}" for ref in who.person.refs)
    cells = Counter(f"{table}.{column}" for (table, _), column in who.cells)
    return {"records": dict(records), "found": dict(cells), "shared_addresses": len(who.shared)}


def proven(loop: Loop, still: Sequence[Left], changed: Sequence[str], unchanged: Mapping[str, str]) -> dict[str, Any]:
    """After it: what was searched, and what is left."""
    rows = Counter((one.trace, f"{one.table}.{one.column}".rstrip(".")) for one in still)
    left = [LeftOver(where=where, rows=count, why=WHY[trace]) for (trace, where), count in sorted(rows.items())]
    left += [LeftOver(where=path, rows=1, why=why) for path, why in sorted(unchanged.items())]
    tables = texts.tables()
    searched = {
        "tables": len(tables),
        "columns": sum(len(texts.columns_of(table)) for table in tables),
        "files": len(files.ours(loop.settings, loop.database.files)),
    }
    models_dir = loop.settings.models_dir
    versions = [f"{model} {version}" for model in copies.models(models_dir) for version in copies.versions(models_dir, model)]
    return {
        "left": [one.model_dump() for one in left],
        "files_changed": list(changed),
        "searched": searched,
        "models": versions,
    }


def overwritten(database: Database, *, settled: bool) -> dict[str, Any]:
    if not database.is_sqlite:
        return {"bytes": VACUUMED}
    return {"bytes": OVERWRITTEN if settled else LOG_IN_USE}


def touched(row: ErasureRow) -> set[str]:
    """The tables whose rows went or were changed."""
    changed = {name.partition(".")[0] for name in row.report.get("changed", {})}
    return {*row.report.get("removed", {}), *changed, "payloads", "dead_letters", "erasures"}
