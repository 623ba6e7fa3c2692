"""The audit trail: every way of changing something leaves a row, however it ends, and no row ever changes."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from automation import audit, tokens
from automation.pipeline.context import Loop
from data.db import Database
from data.domain.audit import Action, Result
from data.errors import BadInput, Refused, Retryable
from data.settings import Scope
from ml import copies
from ml.training.gate import Decision
from ml.version import CHALLENGER
from tests.conftest import LoopFactory
from tests.support import NOON, TOKENS, FakeClock, bearer, put_variation

ADMIN = bearer(Scope.ADMIN)
ACTOR = f"settings:{list(Scope).index(Scope.ADMIN) + 1}"
NOWHERE = "sqlite:////proc/nowhere/mlflow.db"


def trail(api: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("/audit", params=query, headers=ADMIN).json()
    return found


@pytest.fixture
def loop(make_loop: LoopFactory, trained_models: Path) -> Loop:
    """A loop with a champion, and a challenger that the gate refused."""
    made = make_loop(mlflow_tracking_uri=NOWHERE)
    folder = made.settings.models_dir
    put_variation(trained_models / "lead_score" / "1", folder / "lead_score" / "2", trees=50)
    copies.write_decision(folder / "lead_score" / "2", Decision(promote=False, reasons=("log-loss: worse",), champion="1"))
    copies.point(folder, "lead_score", CHALLENGER, "2")
    return made


def test_who_did_what_to_what_and_what_came_of_it(api: httpx.Client) -> None:
    assert api.put("/models/lead_score/traffic", json={"challenger": 0.5, "mode": "live"}, headers=ADMIN).status_code == 200
    (row,) = trail(api)
    assert (row["actor"], row["action"], row["target"], row["result"]) == (ACTOR, "traffic", "lead_score", "done")
    assert row["details"] == {"mode": "live", "share": 0.5}
    assert row["at"].startswith(NOON.isoformat()[:19])


def test_what_is_refused_is_there_too(api: httpx.Client) -> None:
    assert api.put("/models/nobody/traffic", json={"challenger": 0.5, "mode": "live"}, headers=ADMIN).status_code == 404
    assert api.post("/dead-letters/17/replay", headers=ADMIN).status_code == 404
    replay, traffic = trail(api)
    assert (replay["action"], replay["target"], replay["result"]) == ("replay", "dead letter 17", "refused")
    assert (traffic["action"], traffic["result"]) == ("traffic", "refused")
    assert "nobody" in traffic["details"]["reason"]


def test_a_replay_says_whether_it_went_through(api: httpx.Client) -> None:
    api.post("/collect/generic", content=b"{", headers=bearer(Scope.COLLECT))
    (letter,) = api.get("/dead-letters", headers=bearer(Scope.READ)).json()
    api.post(f"/dead-letters/{letter['id']}/replay", headers=ADMIN)
    assert trail(api)[0]["details"] == {"corrected": False, "replayed": False}


@pytest.mark.slow
@pytest.mark.parametrize(("what", "body"), [("promote", {"version": "2", "force": True}), ("rollback", None), ("reload", None)])
def test_what_breaks_on_the_way_is_there_too(api: httpx.Client, what: str, body: Any) -> None:
    api.post(f"/models/lead_score/{what}", json=body, headers=ADMIN)
    (row,) = trail(api)
    assert (row["actor"], row["action"], row["target"]) == (ACTOR, what, "lead_score")
    assert row["result"] == ("done" if what == "reload" else "failed")


def test_tokens_leave_their_names_and_never_themselves(api: httpx.Client, loop: Loop) -> None:
    made = api.post("/tokens", json={"name": "n8n", "scopes": ["admin"]}, headers=ADMIN).json()["token"]
    own = {"Authorization": f"Bearer {made}"}
    new = api.post("/tokens/n8n/rotate", json={"grace_hours": 1}, headers=own).json()["token"]
    api.post("/tokens/n8n/revoke", json={"replaced_only": True}, headers={"Authorization": f"Bearer {new}"})
    rows = trail(api)
    assert [(row["actor"], row["action"], row["target"]) for row in rows] == [
        ("n8n", "token_revoke", "n8n"), ("n8n", "token_rotate", "n8n"), (ACTOR, "token_create", "n8n"),
    ]  # fmt: skip
    assert not any(secret in str(rows) for secret in (made, new, *TOKENS.values()))


def test_the_trail_is_read_page_by_page_and_by_action(api: httpx.Client, loop: Loop, clock: FakeClock) -> None:
    for number in range(5):
        audit.record(loop.database, clock, "cli:ada", Action.PRUNE if number % 2 else Action.ERASE, f"contact {number}")
    first = trail(api, limit=2)
    second = trail(api, limit=10, before=first[-1]["id"])
    assert [row["target"] for row in (*first, *second)] == [f"contact {number}" for number in (4, 3, 2, 1, 0)]
    assert [row["target"] for row in trail(api, action="prune")] == ["contact 3", "contact 1"]
    for query in ("action=nothing", "limit=0", "limit=1001", "before=-1", f"before={2**63}"):
        assert api.get(f"/audit?{query}", headers=ADMIN).status_code == 422
    assert api.get("/audit?action=%00", headers=ADMIN).status_code == 400


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"])
def test_rows_are_only_ever_added(database: Database, clock: FakeClock, statement: str) -> None:
    audit.record(database, clock, "cli:ada", Action.SETUP, "HubSpot")
    with pytest.raises(DBAPIError, match="only grows"), database.engine.begin() as connection:
        connection.execute(text(statement))
    (row,) = audit.listed(database)
    assert row.actor == "cli:ada"


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (Refused("not as things stand"), Result.REFUSED), (BadInput("no"), Result.REFUSED), (Retryable("away"), Result.FAILED),
        (ValueError("ours"), Result.FAILED), (KeyboardInterrupt(), Result.FAILED),
    ],
)  # fmt: skip
def test_whatever_ends_a_deed_is_recorded_and_goes_on(
    database: Database, clock: FakeClock, error: BaseException, result: Result
) -> None:
    with pytest.raises(type(error)), audit.recorded(database, clock, "cli:ada", Action.SETUP, "HubSpot", asked=3) as details:
        details["made"] = 2
        raise error
    (row,) = audit.listed(database)
    assert (row.result, row.details["asked"], row.details["made"]) == (result, 3, 2)
    assert row.details["reason"]


def test_with_the_database_away_the_deed_is_done_all_the_same(clock: FakeClock) -> None:
    away = Database("sqlite:////proc/nowhere.db")
    with audit.recorded(away, clock, "cli:ada", Action.SETUP, "HubSpot"):
        pass
    audit.record(away, clock, "cli:ada", Action.SETUP, "HubSpot")


def test_a_deed_that_is_taken_back_leaves_no_row(loop: Loop) -> None:
    tokens.create(loop.database, loop.clock, "cli:ada", "n8n", (Scope.READ,))
    with pytest.raises(Refused):
        tokens.create(loop.database, loop.clock, "cli:ada", "n8n", (Scope.READ,))
    assert [row.action for row in audit.listed(loop.database)] == ["token_create"]


def test_what_looks_like_a_secret_is_not_written_down(database: Database, clock: FakeClock) -> None:
    audit.record(database, clock, "cli:ada", Action.SETUP, "x" * 500, reason="Bearer abc-1234567890", count=3)
    (row,) = audit.listed(database)
    assert "1234567890" not in str(row.model_dump())
    assert len(row.target) == audit.LONGEST
    assert row.details["count"] == 3
