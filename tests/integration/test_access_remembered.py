"""What a process remembers of tokens spares the database, and lasts no longer than it may."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.callers import ASKS_PER_SECOND, Callers
from automation import tokens
from automation.access import REMEMBERED, Access, digest_of
from automation.pipeline.context import Loop
from data.db import Database
from data.errors import NotReady, TooMany
from data.settings import Scope
from tests.support import TOKENS, FakeClock, bearer
from tests.tokens import held, make, passes


class CountingDatabase(Database):
    """Counts what is read; answers when it is let."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.reads = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def read(self) -> Any:
        self.reads += 1
        self.may_answer.wait(10)
        return super().read()


@pytest.fixture
def counting(loop: Loop) -> Loop:
    return replace(loop, database=CountingDatabase(loop.database.engine.url.render_as_string(hide_password=False)))


def identified(callers: Callers, token: str, *, address: str = "203.0.113.7") -> Any:
    return asyncio.run(callers.identify(f"Bearer {token}".encode(), address))


def test_a_busy_token_costs_one_query_in_five_seconds(loop: Loop, counting: Loop, clock: FakeClock) -> None:
    token, callers, database = make(loop), Callers(counting), counting.database
    assert isinstance(database, CountingDatabase)
    for _ in range(50):
        clock.move(milliseconds=90)
        assert identified(callers, token).need(Scope.READ).name == "n8n"
    assert database.reads == 1
    clock.move(seconds=1)
    identified(callers, token)
    assert database.reads == 2
    database.dispose()


def test_a_clock_that_is_put_back_makes_nothing_last_longer(loop: Loop, counting: Loop, clock: FakeClock) -> None:
    token, callers = make(loop), Callers(counting)
    assert identified(callers, token).caller
    tokens.revoke(loop.database, clock, "cli:ada", "n8n")
    clock.move(hours=-1)
    assert identified(callers, token).caller is None
    counting.database.dispose()


def test_a_token_of_the_settings_asks_nobody(counting: Loop) -> None:
    callers, database = Callers(counting), counting.database
    assert isinstance(database, CountingDatabase)
    assert identified(callers, TOKENS[Scope.SCORE]).need(Scope.SCORE).name.startswith("settings:")
    assert database.reads == 0
    database.dispose()


def test_what_has_not_the_form_of_a_token_asks_nobody(counting: Loop) -> None:
    callers, database = Callers(counting), counting.database
    assert isinstance(database, CountingDatabase)
    for guess in ("password", "leadloop_", "leadloop_" + "x" * 42, "leadloop_" + "x" * 44, "Leadloop_" + "x" * 43):
        assert identified(callers, guess).caller is None
    assert database.reads == 0
    database.dispose()


def test_guesses_do_not_hammer_the_database_and_good_tokens_pass_all_the_while(loop: Loop, counting: Loop) -> None:
    token, callers, database = make(loop), Callers(counting), counting.database
    assert isinstance(database, CountingDatabase)
    assert identified(callers, token).caller
    guesses = [f"leadloop_{number:043}" for number in range(500)]
    found = [identified(callers, guess, address=f"203.0.113.{number % 250}") for number, guess in enumerate(guesses)]
    assert database.reads <= 2 * ASKS_PER_SECOND + 1
    assert all(one.caller is None for one in found)
    assert any(isinstance(one.error, TooMany) for one in found)
    for known in (token, TOKENS[Scope.READ]):
        assert identified(callers, known).need(Scope.READ)
    database.dispose()


def test_the_same_wrong_token_again_and_again_asks_once(counting: Loop) -> None:
    callers, database = Callers(counting), counting.database
    assert isinstance(database, CountingDatabase)
    for _ in range(100):
        assert identified(callers, "leadloop_" + "x" * 43).error is None
    assert database.reads == 1
    database.dispose()


def test_many_at_once_with_one_token_ask_once(loop: Loop, counting: Loop) -> None:
    token, callers, database = make(loop), Callers(counting), counting.database
    assert isinstance(database, CountingDatabase)
    database.may_answer.clear()

    async def at_once() -> list[Any]:
        asked = [asyncio.create_task(callers.identify(f"Bearer {token}".encode(), "203.0.113.7")) for _ in range(20)]
        await asyncio.sleep(0)
        asked[0].cancel()  # whoever gives up takes the answer from nobody
        database.may_answer.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(at_once())
    assert isinstance(found[0], asyncio.CancelledError)
    assert all(one.caller.name == "n8n" for one in found[1:])
    assert database.reads == 1
    database.dispose()


def test_with_the_database_away_the_settings_tokens_go_on_and_others_are_told_to_try_again(
    api: httpx.Client, loop: Loop, running_app: Any, clock: FakeClock
) -> None:
    token = make(loop)
    assert passes(api, token)
    away = replace(loop, database=Database("sqlite:////proc/nowhere.db"))
    running_app[0].state.loop = away
    hot = {"sessions": 5, "engaged_sessions": 5, "page_views": 16, "channel": "referral", "is_first_visit": False}
    assert api.post("/score", json=hot, headers=bearer(Scope.SCORE)).status_code == 200
    answer = api.post("/score", json=hot, headers=held(token))
    assert answer.status_code == 503
    assert "database" in answer.json()["detail"]
    assert api.post("/score", json=hot, headers=held("guess")).status_code == 401
    assert api.get("/health/live", headers=held(token)).status_code == 200


def test_what_a_process_remembers_it_forgets_when_the_database_goes_away(loop: Loop, clock: FakeClock) -> None:
    token = make(loop)
    away = Database("sqlite:////proc/nowhere.db")
    access = Access(loop.settings, loop.database, clock)
    assert access.ask(digest_of(token.encode())).caller
    access._database = away
    assert access.recall(digest_of(token.encode())) is not None
    clock.move(seconds=REMEMBERED.total_seconds())
    assert access.recall(digest_of(token.encode())) is None
    with pytest.raises(NotReady):
        access.ask(digest_of(token.encode()))
