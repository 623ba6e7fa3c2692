"""Tokens: made, rotated, revoked and expired, at once and in every process."""

import threading
from contextlib import suppress
from datetime import timedelta

import httpx
import pytest

from automation import tokens
from automation.access import REMEMBERED, Access, digest_of
from automation.pipeline.context import Loop
from data.db import Database
from data.errors import BadInput, NotFound, Refused
from data.settings import Scope
from data.warehouse import api_tokens
from tests.conftest import LoopFactory
from tests.support import NOON, TOKENS, FakeClock, generic
from tests.tokens import held, make, passes

DAY = timedelta(days=1)


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
