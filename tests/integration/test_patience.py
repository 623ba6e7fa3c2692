"""Who is slow, who asks too often, who guesses: limited, told so, and in nobody else's way."""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import httpx
import pytest
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import server
from api.app import create_app
from api.guard import MOST_HEADER_BYTES
from api.limits import BURST_SECONDS
from api.middleware import BodyLimit
from automation.loop import build_loop
from automation.pipeline.context import Loop
from data.settings import Scope
from tests.asgi import called
from tests.conftest import LoopFactory
from tests.support import FakeClock, bearer, serving, settings_for

HEAD = b"GET /health/live HTTP/1.1\r\nHost: leadloop.example\r\n"


def connected(api: httpx.Client) -> socket.socket:
    return socket.create_connection((api.base_url.host, api.base_url.port or 80), timeout=10)


class Impatient(server.PatientProtocol):
    """The same in a hurry."""

    head_seconds = 0.3


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service that waits a third of a second for a head."""
    settings = settings_for(tmp_path_factory.mktemp("hasty"))
    app = create_app(settings, loop=build_loop(settings), jobs=())
    with (
        serving(app, http=Impatient, timeout_keep_alive=60) as url,
        httpx.Client(base_url=url, timeout=20, trust_env=False) as client,
    ):
        yield client


@pytest.mark.parametrize(
    "parts",
    [[], [b"G"], [HEAD, *[b"X: a\r\n"] * 20], [HEAD + b"\r\n", b"GET /health"]],
    ids=["silent", "one byte", "a line now and then", "a second request that does not end"],
)
def test_who_does_not_end_a_head_is_hung_up_on(hasty: httpx.Client, parts: Sequence[bytes]) -> None:
    with connected(hasty) as connection, suppress(ConnectionError):  # so it was
        for part in parts:
            connection.sendall(part)
            time.sleep(0.04)
        while connection.recv(65_536):
            continue
    assert hasty.get("/health/live").status_code == 200


def test_who_goes_on_after_a_refusal_is_hung_up_on(hasty: httpx.Client) -> None:
    head = b"POST /collect/generic HTTP/1.1\r\nHost: leadloop.example\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connected(hasty) as connection:
        connection.sendall(head)
        with pytest.raises(ConnectionError):
            for _ in range(10_000):
                connection.sendall(b"8000\r\n" + b"a" * 0x8000 + b"\r\n")
                time.sleep(0.001)


def test_a_body_that_does_not_come_is_given_up() -> None:
    async def inner(scope: object, receive: object, send: object) -> None:
        raise AssertionError("there is no body")

    assert called(BodyLimit(inner, max_bytes=1024, seconds=0.05), body=None)[0] == 408


@pytest.fixture
def limited(make_loop: LoopFactory, running_app: tuple[FastAPI, str], api: httpx.Client) -> Callable[..., Loop]:
    def make(**limits: float) -> Loop:
        made = make_loop(**limits)
        running_app[0].state.loop = made
        return made

    return make


def test_who_asks_too_often_is_told_when_to_come_again(api: httpx.Client, limited: Callable[..., Loop], clock: FakeClock) -> None:
    limited(rate_limit_per_second=2)
    answers = [api.get("/deliveries", headers=bearer(Scope.READ)) for _ in range(int(2 * BURST_SECONDS) + 1)]
    assert [answer.status_code for answer in answers] == [200] * int(2 * BURST_SECONDS) + [429]
    assert answers[-1].headers["retry-after"] == "1"
    assert answers[-1].headers["content-type"] == "application/problem+json"
    assert "settings:" in answers[-1].json()["detail"]
    assert api.get("/deliveries", headers=bearer(Scope.ADMIN)).status_code == 200  # another token
    assert api.get("/health/live").status_code == 200  # and nobody in particular
    clock.move(seconds=0.5)
    assert api.get("/deliveries", headers=bearer(Scope.READ)).status_code == 200


def test_who_has_no_token_is_counted_by_address(api: httpx.Client, limited: Callable[..., Loop]) -> None:
    limited(rate_limit_per_second=2)
    first, second = ({"X-Forwarded-For": f"203.0.113.{number}"} for number in (1, 2))
    assert [api.get("/health/live", headers=first).status_code for _ in range(11)] == [200] * 10 + [429]
    assert api.get("/health/live", headers=second).status_code == 200


def test_guessing_is_limited_harder_and_locks_out_nobody_else(
    api: httpx.Client, limited: Callable[..., Loop], clock: FakeClock
) -> None:
    limited(failed_logins_per_minute=3)
    guesses = [{"Authorization": f"Bearer guess-number-{number}"} for number in range(5)]
    answers = [api.get("/deliveries", headers=guess) for guess in guesses]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert answers[-1].headers["retry-after"] == "20"
    # A signature that does not fit and a missing token are no better, and an n8n has one address for them all.
    assert api.post("/collect/hubspot", content=b"[]").status_code == 429
    assert api.get("/deliveries").status_code == 429
    assert api.get("/deliveries", headers=bearer(Scope.READ)).status_code == 200
    assert api.get("/deliveries", headers={**guesses[0], "X-Forwarded-For": "203.0.113.9"}).status_code == 401
    clock.move(seconds=20)
    assert api.get("/deliveries", headers=guesses[0]).status_code == 401


def test_a_forwarded_address_is_believed_only_of_a_trusted_proxy(loop: Loop) -> None:
    seen: list[str] = []

    async def inner(scope: dict[str, tuple[str, int]], receive: object, send: object) -> None:
        seen.append(scope["client"][0])

    options = server.options_for(settings_for(loop.settings.var_dir, trusted_proxies="10.0.0.0/8"))
    app = ProxyHeadersMiddleware(inner, trusted_hosts=options["forwarded_allow_ips"])  # type: ignore[arg-type]
    for peer, told in (("203.0.113.1", "198.51.100.1"), ("10.1.2.3", "198.51.100.1"), ("10.1.2.3", "192.0.2.66, 198.51.100.1")):
        called(app, client=peer, headers=[(b"x-forwarded-for", told.encode())])
    assert seen == ["203.0.113.1", "198.51.100.1", "198.51.100.1"]


def test_the_limits_are_those_that_uvicorn_is_started_with(loop: Loop) -> None:
    options = server.options_for(loop.settings)
    assert options["h11_max_incomplete_event_size"] == MOST_HEADER_BYTES
    assert options["http"] is server.PatientProtocol
    assert options["forwarded_allow_ips"] == loop.settings.trusted_proxies == "127.0.0.1,::1"
