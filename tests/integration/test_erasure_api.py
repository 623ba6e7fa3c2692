"""`/privacy/erase` and `/privacy/erasures/{id}`: for admins only; asked for at once, done by the worker, told without a name."""

import httpx
import pytest

from automation import audit
from automation.erasure import run
from automation.jobs import privacy
from automation.pipeline.context import Loop
from data.domain.audit import Action
from data.settings import Scope
from data.warehouse.erasures import Origin
from tests.ada import ADA, rows, still_told, tell_all
from tests.support import bearer

pytestmark = pytest.mark.slow

ADMIN = bearer(Scope.ADMIN)
ERASE = "/privacy/erase"


def test_it_is_asked_for_at_once_and_done_by_the_worker(api: httpx.Client, loop: Loop) -> None:
    tell_all(loop)
    asked = api.post(ERASE, json={"email": "ADA@example.com"}, headers=ADMIN)
    number = asked.json()["id"]
    assert (asked.status_code, asked.json()["state"], asked.json()["origin"]) == (202, "asked", "api")
    assert api.post(ERASE, json={"email": ADA}, headers=ADMIN).json()["id"] == number, "the same, while it waits"
    privacy.sweep(loop)
    told = api.get(f"/privacy/erasures/{number}", headers=ADMIN)
    assert (told.status_code, told.json()["state"], told.json()["left"]) == (200, "done", [])
    assert told.json()["removed"]["entities"] == 5
    assert still_told(loop.database) == {}
    assert "ada" not in (asked.text + told.text).lower().replace("leadloop", "")


def test_the_trail_says_who_asked_for_it_and_that_it_was_done(api: httpx.Client, loop: Loop) -> None:
    tell_all(loop)
    number = api.post(ERASE, json={"email": ADA}, headers=ADMIN).json()["id"]
    privacy.sweep(loop)
    done, asked = audit.listed(loop.database, action=Action.ERASE)
    assert (asked.target, asked.result, asked.details) == ("a person", "done", {"erasure_id": number})
    assert (done.actor, done.target, done.result) == ("asked by api", f"erasure {number}", "done")


def test_a_dry_run_changes_nothing(api: httpx.Client, loop: Loop) -> None:
    tell_all(loop)
    before = rows(loop.database)
    told = api.post(ERASE, json={"email": ADA, "dry_run": True}, headers=ADMIN).json()
    assert told["records"] == {"hubspot contact": 2, "pipedrive contact": 1, "generic contact": 1, "generic note": 1}
    assert rows(loop.database) == before


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.ADMIN])
def test_nobody_but_an_admin_may(api: httpx.Client, loop: Loop, scope: Scope) -> None:
    number = run.ask(loop, ADA, Origin.COMMAND)
    before = rows(loop.database)["erasures"]
    for dry_run in (False, True):
        assert api.post(ERASE, json={"email": ADA, "dry_run": dry_run}, headers=bearer(scope)).status_code == 403
    assert api.get(f"/privacy/erasures/{number}", headers=bearer(scope)).status_code == 403
    assert api.post(ERASE, json={"email": ADA}).status_code == 401
    assert rows(loop.database)["erasures"] == before


@pytest.mark.parametrize(
    "body", [{}, {"email": "Ada"}, {"email": ""}, {"email": ADA, "name": "Ada"}, {"email": f"{'a' * 400}@b.de"}]
)
def test_what_does_not_fit_is_refused_and_not_repeated(api: httpx.Client, loop: Loop, body: dict[str, str]) -> None:
    answer = api.post(ERASE, json=body, headers=ADMIN)
    assert answer.status_code == 422
    assert rows(loop.database)["erasures"] == []


def test_an_erasure_that_is_none_is_not_found(api: httpx.Client) -> None:
    assert api.get("/privacy/erasures/99", headers=ADMIN).status_code == 404
    assert api.get("/privacy/erasures/-1", headers=ADMIN).status_code == 422
