"""Stored tokens: made, used, rotated without downtime, revoked; what each process remembers of them, and for how long."""

import asyncio
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from api.callers import ASKS_PER_SECOND, Callers
from automation import tokens
from automation.access import REMEMBERED, Access, digest_of
from automation.pipeline.context import Loop
from data.db import Database
from data.errors import BadInput, NotFound, NotReady, Refused, TooMany
from data.settings import Scope
from data.warehouse import api_tokens
from tests.conftest import LoopFactory
from tests.support import NOON, TOKENS, FakeClock, bearer, generic

ADMIN = bearer(Scope.ADMIN)
DAY = timedelta(days=1)


def held(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def make(loop: Loop, name: str = "n8n", *scopes: Scope, lasts: timedelta | None = None) -> str:
    return tokens.create(loop.database, loop.clock, "cli:ada", name, scopes or (Scope.READ,), lasts=lasts).token


def passes(api: httpx.Client, token: str) -> bool:
    answer = api.get("/deliveries", headers=held(token))
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


def test_a_new_token_works_at_once_with_its_scopes_only(api: httpx.Client, loop: Loop) -> None:
    token = make(loop, "n8n", Scope.READ, Scope.COLLECT)
    assert passes(api, token)
    assert api.post("/collect/generic", json=generic(), headers=held(token)).status_code == 202
    assert api.post("/score", json={}, headers=held(token)).status_code == 403
    assert api.get("/", auth=("anybody", token)).status_code == 200


def test_the_token_itself_is_stored_nowhere(api: httpx.Client, loop: Loop, database: Database) -> None:
    token = make(loop)
    assert passes(api, token)
    with database.read() as session:
        (row,) = api_tokens.listed(session)
    assert row.digest == digest_of(token.encode())
    assert token not in repr(row.model_dump())


def test_two_tokens_are_never_alike_and_have_256_bits(loop: Loop) -> None:
    made = {make(loop, f"t{number}") for number in range(20)}
    assert len(made) == 20
    assert all(len(token) == len("leadloop_") + 43 for token in made)


def test_a_revoked_token_stops_within_what_a_process_remembers(api: httpx.Client, loop: Loop, clock: FakeClock) -> None:
    token = make(loop)
    assert passes(api, token)
    assert tokens.revoke(loop.database, clock, "cli:ada", "n8n") == 1
    clock.move(seconds=REMEMBERED.total_seconds())
    assert not passes(api, token)


def test_it_stops_in_every_process(loop: Loop, make_loop: LoopFactory, clock: FakeClock) -> None:
    token = make(loop)
    others = [Access(loop.settings, loop.database, clock) for _ in range(3)]
    digest = digest_of(token.encode())
    assert all(other.ask(digest).caller for other in others)
    tokens.revoke(loop.database, clock, "cli:ada", "n8n")
    clock.move(seconds=REMEMBERED.total_seconds())
    for other in others:
        assert other.recall(digest) is None
        assert other.ask(digest).caller is None


def test_an_expired_token_stops_at_its_moment(api: httpx.Client, loop: Loop, clock: FakeClock) -> None:
    token = make(loop, lasts=timedelta(seconds=2))
    assert passes(api, token)
    clock.move(seconds=1.9)
    assert passes(api, token)
    clock.move(seconds=0.1)  # although the process remembers it
    assert not passes(api, token)


def test_what_is_unknown_revoked_or_expired_is_told_alike(api: httpx.Client, loop: Loop, clock: FakeClock) -> None:
    revoked, expired = make(loop, "revoked"), make(loop, "expired", lasts=timedelta(seconds=1))
    tokens.revoke(loop.database, clock, "cli:ada", "revoked")
    clock.move(seconds=2)
    others = ["leadloop_" + "x" * 43, "nonsense", TOKENS[Scope.READ] + "x", revoked, expired]
    answers = [api.get("/deliveries", headers=held(token)) for token in others]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert {tuple(answer.headers.get_list("www-authenticate")) for answer in answers} == {
        ('Basic realm="Leadloop", charset="UTF-8"', "Bearer")
    }


def test_a_rotation_has_no_moment_without_a_good_token(api: httpx.Client, loop: Loop, clock: FakeClock) -> None:
    old = make(loop)
    assert passes(api, old)
    new = tokens.rotate(loop.database, clock, "cli:ada", "n8n", grace=timedelta(hours=24))
    assert passes(api, old)
    assert passes(api, new.token)
    assert new.old_good_until == NOON + DAY
    clock.move(hours=23, minutes=59)
    assert passes(api, old)
    clock.move(minutes=1)
    assert not passes(api, old)
    assert passes(api, new.token)


def test_a_grace_lengthens_no_life_and_none_is_none(api: httpx.Client, loop: Loop, clock: FakeClock) -> None:
    make(loop, lasts=timedelta(hours=1))
    new = tokens.rotate(loop.database, clock, "cli:ada", "n8n", grace=DAY)
    assert (new.old_good_until, new.expires_at) == (NOON + timedelta(hours=1), NOON + timedelta(hours=1))
    newer = tokens.rotate(loop.database, clock, "cli:ada", "n8n", grace=timedelta())
    assert not passes(api, new.token)
    assert passes(api, newer.token)


def test_only_the_replaced_ones_can_be_ended_early(api: httpx.Client, loop: Loop, clock: FakeClock) -> None:
    old = make(loop)
    new = tokens.rotate(loop.database, clock, "cli:ada", "n8n").token
    assert tokens.revoke(loop.database, clock, "cli:ada", "n8n", replaced_only=True) == 1
    assert not passes(api, old)
    assert passes(api, new)
    with pytest.raises(NotFound, match="replaced"):
        tokens.revoke(loop.database, clock, "cli:ada", "n8n", replaced_only=True)
    assert tokens.revoke(loop.database, clock, "cli:ada", "n8n") == 1
    clock.move(seconds=REMEMBERED.total_seconds())
    assert not passes(api, new)


def test_a_name_has_one_current_token(loop: Loop, clock: FakeClock) -> None:
    make(loop)
    with pytest.raises(Refused, match="rotate it"):
        make(loop)
    tokens.revoke(loop.database, clock, "cli:ada", "n8n")
    make(loop)  # a revoked one's name is free
    with pytest.raises(NotFound):
        tokens.rotate(loop.database, clock, "cli:ada", "nobody")
    with pytest.raises(NotFound):
        tokens.revoke(loop.database, clock, "cli:ada", "nobody")


def test_of_many_that_make_or_rotate_one_at_once_all_leave_one_current_token(loop: Loop, clock: FakeClock) -> None:
    made: list[str] = []

    def work() -> None:
        try:
            made.append(make(loop))
        except Refused:
            with suppress(Refused, NotFound):  # somebody else was first
                made.append(tokens.rotate(loop.database, clock, "cli:ada", "n8n").token)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with loop.database.read() as session:
        rows = api_tokens.listed(session)
    assert len([row for row in rows if row.replaced_at is None]) == 1
    assert {row.digest for row in rows} == {digest_of(token.encode()) for token in made}


@pytest.mark.parametrize("name", ["", "cli:ada", "settings:1", "a b", "a/b", "-a", "é", "a" * 65, "a\n", "a\x00"])
def test_a_name_is_plain_and_nobody_elses(loop: Loop, name: str) -> None:
    with pytest.raises(BadInput):
        make(loop, name)


def test_without_scopes_there_is_no_token(loop: Loop) -> None:
    with pytest.raises(BadInput, match="collect"):
        tokens.create(loop.database, loop.clock, "cli:ada", "n8n", ())


def test_the_last_use_is_told_to_the_minute(api: httpx.Client, loop: Loop, clock: FakeClock) -> None:
    token = make(loop)
    clock.move(seconds=90)
    assert passes(api, token)
    assert not passes(api, "leadloop_" + "x" * 43)
    tokens.note_use(loop)
    tokens.note_use(loop)
    with loop.database.read() as session:
        (row,) = api_tokens.listed(session)
    assert row.last_used_at == NOON + timedelta(minutes=1)


def test_another_processs_earlier_use_takes_nothing_back(loop: Loop) -> None:
    make(loop)
    with loop.database.write() as session:
        (row,) = api_tokens.listed(session)
        assert row.id is not None
        api_tokens.note_use(session, {row.id: NOON + DAY})
        api_tokens.note_use(session, {row.id: NOON})
    with loop.database.read() as session:
        assert api_tokens.listed(session)[0].last_used_at == NOON + DAY


# What a process remembers


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


# Over HTTP


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
