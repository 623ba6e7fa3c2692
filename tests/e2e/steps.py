"""Steps that the end-to-end tests share."""

import time
from collections.abc import Callable
from typing import Any

import httpx

from automation.n8n import HOOK_HEADER
from data.settings import Scope
from scripts.effects import Effects, expected_scores, settled
from scripts.play import Script
from scripts.stand import Stand

PATIENCE_SECONDS = 60.0


def what_arrived(parts: Stand, script: Script) -> Effects:
    """Waits for everything that was played to arrive, or for too long."""
    return settled(parts, script, expected_scores(parts, script.contacts), seconds=PATIENCE_SECONDS)


def assert_everything_arrived(effects: Effects, script: Script) -> None:
    """Every contact carries its newest score, every hot lead was alerted once, every malformed item was set aside."""
    assert effects.right == len(script.contacts)
    assert effects.alerted_twice == 0
    assert effects.unalerted == 0
    assert effects.dead_letters == script.malformed
    assert effects.waiting == 0


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def post_form(parts: Stand, form: dict[str, Any], token: str | None = None) -> httpx.Response:
    """A web form's POST to the classic workflow."""
    headers = {HOOK_HEADER: token or parts.tokens[Scope.COLLECT]}
    return httpx.post(f"{parts.place.url}/webhook/contact", json=form, headers=headers, timeout=60, trust_env=False)


def get(parts: Stand, path: str) -> Any:
    answer = httpx.get(parts.url + path, headers=parts.headers(Scope.READ), timeout=20, trust_env=False)
    return answer.raise_for_status().json()
