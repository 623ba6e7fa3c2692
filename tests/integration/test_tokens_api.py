"""Tokens are managed over HTTP, by administrators only."""

from typing import Any

import httpx
import pytest

from automation.pipeline.context import Loop
from data.settings import Scope
from tests.support import bearer
from tests.tokens import passes

ADMIN = bearer(Scope.ADMIN)


def test_tokens_are_managed_over_http(api: httpx.Client, loop: Loop) -> None:
    made = api.post("/tokens", json={"name": "n8n", "scopes": ["read", "score"]}, headers=ADMIN)
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert made.json()["scopes"] == ["score", "read"]
    token = made.json()["token"]
    assert passes(api, token)
    assert api.post("/tokens", json={"name": "n8n", "scopes": ["read"]}, headers=ADMIN).status_code == 409
    rotated = api.post("/tokens/n8n/rotate", json={"grace_hours": 1}, headers=ADMIN).json()
    assert passes(api, rotated["token"])
    assert passes(api, token)
    rows = api.get("/tokens", headers=ADMIN).json()
    assert [(row["name"], row["is_good"], row["replaced_at"] is None) for row in rows] == [
        ("n8n", True, True),
        ("n8n", True, False),
    ]
    assert token not in str(rows)
    assert "digest" not in rows[0]
    assert api.post("/tokens/n8n/revoke", headers=ADMIN).json() == {"name": "n8n", "ended": 2}
    assert api.post("/tokens/n8n/revoke", headers=ADMIN).status_code == 404
    assert api.post("/tokens/n8n/rotate", headers=ADMIN).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {}, {"name": "x"}, {"name": "x", "scopes": []}, {"name": "x", "scopes": ["all"]}, {"name": "a:b", "scopes": ["read"]},
        {"name": "x\x00", "scopes": ["read"]}, {"name": "x\n", "scopes": ["read"]},
        {"name": "x", "scopes": ["read"], "lasts_hours": 0},
        {"name": "x", "scopes": ["read"], "lasts_hours": 1e300}, {"name": "x", "scopes": ["read"], "token": "mine"},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_that_makes_no_sense_is_refused(api: httpx.Client, body: Any) -> None:
    assert api.post("/tokens", json=body, headers=ADMIN).status_code == 422
    assert api.get("/tokens", headers=ADMIN).json() == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/tokens"), ("POST", "/tokens"), ("POST", "/tokens/x/rotate"), ("POST", "/tokens/x/revoke"), ("GET", "/audit")],
)
def test_only_admin_manages_tokens_and_reads_the_trail(api: httpx.Client, method: str, path: str) -> None:
    assert api.request(method, path).status_code == 401
    for scope in Scope:
        if scope is not Scope.ADMIN:
            assert api.request(method, path, headers=bearer(scope)).status_code == 403
