"""How the stand-ins' webhooks go wrong, as whoever takes them sees it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from automation.sandbox.habits import Habits
from automation.sandbox.player import HubSpotPlayer, PipedrivePlayer
from automation.sandbox.tricks import BURST
from tests.integration.sandbox.met import Met

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Hook:
    """Where webhooks arrive: it takes them, or not."""

    status: int = 202
    got: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def hook() -> Iterator[tuple[Hook, str]]:
    made = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.got.append(httpx.Response(200, content=self.rfile.read(int(self.headers["Content-Length"]))).json())
            made.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(made.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made, f"http://127.0.0.1:{server.server_port}/hook"
    finally:
        server.shutdown()
        server.server_close()


def played(met: Met, deliveries: int, **habits: Any) -> Hook:
    """A property that changes again and again, each change handed over by itself, and then what was held back."""
    met.box.set_habits(Habits(**habits))
    with hook() as (made, url):
        player = HubSpotPlayer(met.box, url, "secret")
        for number in range(deliveries):
            player.deliver(player.changed("1", {"firstname": str(number)}))
            met.clock.move(seconds=1)
        player.flush()
    return made


def values(made: Hook) -> list[int]:
    return [int(event["propertyValue"]) for post in made.got for event in post]


def comes_out_of_order(met: Met) -> None:
    got = values(played(met, 30, reorder=0.4))
    assert got != sorted(got)
    assert sorted(got) == list(range(30))


def comes_again(met: Met) -> None:
    made = played(met, 3, redeliver=1.0)
    attempts = [(event["propertyValue"], event["attemptNumber"]) for post in made.got for event in post]
    assert attempts == [(str(number), attempt) for number in range(3) for attempt in (0, 1)]


def shares_an_id(met: Met) -> None:
    made = played(met, 5, shared_event_id=1.0)
    assert len({event["eventId"] for post in made.got for event in post}) == 1
    assert values(made) == list(range(5))


def comes_in_bursts(met: Met) -> None:
    made = played(met, BURST, burst=1.0)
    assert [len(post) for post in made.got] == [BURST]


def is_twice_in_a_post(met: Met) -> None:
    assert values(played(met, 3, duplicate_within=1.0)) == [0, 0, 1, 1, 2, 2]


def is_in_two_posts(met: Met) -> None:
    made = played(met, 20, duplicate_across=1.0)
    assert sorted(values(made)) == sorted([*range(20), *range(20)])
    assert all(len(set(map(str, post))) == len(post) for post in made.got[:3])


def has_a_clock_that_is_off(met: Met) -> None:
    made = played(met, 1, clock_skew_seconds=90.0)
    ((event,),) = made.got
    signed_at = int(made.headers[0]["x-hubspot-request-timestamp"])
    ahead = timedelta(milliseconds=event["occurredAt"]) - (met.clock.now() - timedelta(seconds=1) - EPOCH)
    assert ahead == timedelta(seconds=90)
    assert signed_at == event["occurredAt"]


def pipedrive_tries_again(met: Met) -> None:
    met.box.set_habits(Habits(pipedrive_retries=True, hurry=3_000))
    with hook() as (made, url):
        made.status = 500
        player = PipedrivePlayer(met.box, url, "user", "password")
        assert player.deliver(player.created("7", {"name": "Ada"})) == 500
    assert [message["meta"]["attempt"] for message in made.got] == [1, 2, 3, 4]


def pipedrive_bans_and_deletes(met: Met) -> None:
    with hook() as (made, url):
        player = PipedrivePlayer(met.box, url, "user", "password")
        made.status = 500
        for number in range(12):
            player.deliver(player.created(str(number + 10), {"name": "Ada"}))
        assert len(made.got) == 10, "the last two were never sent, and are lost"
        assert len(player.ledger.untaken()) == 12
        made.status = 200
        met.clock.move(minutes=31)
        assert player.deliver(player.changed("10", {"name": "Bo"})) == 200
        made.status = 500
        met.clock.move(days=3)
        player.deliver(player.changed("10", {"name": "Cy"}))
        assert met.box.pipedrive_account.webhooks == {}, "three days without success"
        assert player.deliver(player.changed("10", {"name": "Di"})) == 0


def echoes(met: Met) -> None:
    with hook() as (made, url):
        player = HubSpotPlayer(met.box, url, "secret")
        assert met.write().status_code == 200
        assert player.send_echoes() == 2
    ((first, _),) = made.got
    assert (first["subscriptionType"], first["propertyValue"], first["changeSource"]) == (
        "contact.propertyChange", "new@example.com", "INTEGRATION",
    )  # fmt: skip
