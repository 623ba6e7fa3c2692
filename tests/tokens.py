"""A token that was just made, and whether it is let in."""

from datetime import timedelta

import httpx

from automation import tokens
from automation.pipeline.context import Loop
from data.settings import Scope


def held(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def make(loop: Loop, name: str = "n8n", *scopes: Scope, lasts: timedelta | None = None) -> str:
    return tokens.create(loop.database, loop.clock, "cli:ada", name, scopes or (Scope.READ,), lasts=lasts).token


def passes(api: httpx.Client, token: str) -> bool:
    answer = api.get("/deliveries", headers=held(token))
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200
