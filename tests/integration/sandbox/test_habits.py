"""Each bad habit does what the table says of it, by itself; the official SDKs meet it as they would meet the vendor's."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import urllib3
from hubspot import HubSpot
from hubspot.crm import contacts
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from automation.clients.base import Record
from automation.clients.hubspot import HubSpotClient
from automation.clients.pipedrive import PipedriveClient
from automation.clients.slack import SlackClient
from automation.sandbox.habits import TABLE, Habits, named
from automation.sandbox.limits import DailyBudget
from automation.sandbox.player import HubSpotPlayer, PipedrivePlayer
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from automation.sandbox.tricks import BURST, Tricks
from data.domain.entity import EntityKind
from tests.support import FakeClock

PATIENCE_SECONDS = 0.3
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Met:
    """What a test of a habit may use."""

    box: Sandbox
    places: Addresses
    clock: FakeClock
    hubspot: HubSpot
    slack: WebClient
    http: httpx.Client

    def ask(self) -> httpx.Response:
        """A harmless call of HubSpot's."""
        return self.http.get(f"{self.places.hubspot}/crm/v3/owners")

    def write(self) -> httpx.Response:
        body = {"inputs": [{"id": "1", "properties": {"email": "new@example.com"}}, {"id": "2", "properties": {"email": "x@y.z"}}]}
        return self.http.post(f"{self.places.hubspot}/crm/v3/objects/contacts/batch/update", json=body)

    def email(self) -> str:
        record = self.box.get("hubspot", "contacts", "1")
        assert record is not None
        return str(record.properties["email"])


@pytest.fixture
def met(box: Sandbox, places: Addresses, clock: FakeClock, hubspot: HubSpot, slack: WebClient) -> Iterator[Met]:
    for number in ("1", "2"):
        box.put("hubspot", "contacts", number, {"email": f"old{number}@example.com"})
    headers = {"Authorization": "Bearer h", "x-api-token": "p"}
    with httpx.Client(headers=headers, timeout=PATIENCE_SECONDS, trust_env=False) as http:
        yield Met(box, places, clock, hubspot, slack, http)


def always(met: Met, name: str, **more: Any) -> None:
    usual = TABLE[name].usual
    met.box.set_habits(Habits(**{name: True if usual is True else 1.0}, **more))


def breaks_before(met: Met) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        met.write()
    assert met.email() == "old1@example.com"


def breaks_after(met: Met) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        met.write()
    assert met.email() == "new@example.com"


def never_answers(met: Met) -> None:
    with pytest.raises(httpx.ReadTimeout):
        met.write()
    assert met.email() == "new@example.com"


def says_too_many(met: Met) -> None:
    answer = met.ask()
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()["category"]) == (429, "1", "RATE_LIMITS")
    with pytest.raises(SlackApiError) as caught:
        met.slack.chat_postMessage(channel="sales", text="x")
    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "1")


def says_too_many_and_no_more(met: Met) -> None:
    answer = met.ask()
    assert answer.status_code == 429
    assert "Retry-After" not in answer.headers


def fails(met: Met) -> None:
    with pytest.raises(contacts.exceptions.ApiException) as caught:
        met.hubspot.crm.contacts.basic_api.get_by_id("1")
    assert caught.value.status == 500


def shows_a_page(met: Met) -> None:
    answer = met.ask()
    assert answer.status_code == 502
    assert answer.text.startswith("<html>")


def is_slow(met: Met) -> None:
    with pytest.raises(httpx.ReadTimeout):
        met.ask()
    record = HubSpotClient("h", met.places.hubspot).read(EntityKind.CONTACT, ["1"], ["email"])["1"]
    assert isinstance(record, Record)
    assert record.properties["email"] == "old1@example.com", "the loop's own clients wait longer than that"
    assert PipedriveClient("p", met.places.pipedrive).read(EntityKind.CONTACT, ["1"], []) == {}
    assert SlackClient("s", met.places.slack).post("#sales", "x", [])
    met.box.set_habits(Habits())
    assert met.ask().status_code == 200


def expires(met: Met) -> None:
    assert met.ask().status_code == 401
    met.box.set_habits(Habits(expired_token=1.0, hurry=10))
    assert met.ask().status_code == 401
    met.box.habits = Habits()
    assert met.ask().status_code == 401, "until it is renewed"
    met.box.renew("hubspot", "h")
    met.box.set_habits(Habits())
    assert met.ask().status_code == 200


def answers_partly(met: Met) -> None:
    answer = met.write()
    assert answer.status_code == 207
    assert answer.json()["numErrors"] == 2
    assert met.email() == "old1@example.com"


def hubspot_counts(met: Met) -> None:
    statuses = [met.ask().status_code for _ in range(101)]
    assert (statuses.count(200), statuses[-1]) == (100, 429)
    met.clock.move(seconds=11)
    assert met.ask().status_code == 200
    met.box.hubspot_account.daily = DailyBudget(2)
    answers = [met.ask() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert (answers[-1].json()["policyName"], answers[-1].headers["X-HubSpot-RateLimit-Daily-Remaining"]) == ("DAILY", "0")
    met.clock.move(hours=11)
    assert met.ask().status_code == 429, "the day is not over"
    met.clock.move(hours=1)
    assert met.ask().status_code == 200
    found = [met.http.post(f"{met.places.hubspot}/crm/v3/objects/contacts/search", json={}) for _ in range(6)]
    assert [answer.status_code for answer in found] == [200] * 5 + [429]
    assert not [name for name in found[-1].headers if "ratelimit" in name.lower()], "searches say nothing of what is left"
    met.clock.move(seconds=1)
    assert met.http.post(f"{met.places.hubspot}/crm/v3/objects/contacts/search", json={}).status_code == 200


def pipedrive_counts(met: Met) -> None:
    def ask() -> int:
        return met.http.get(f"{met.places.pipedrive}/v1/users/me").status_code

    statuses = [ask() for _ in range(41)]
    assert (statuses.count(200), statuses[-1]) == (40, 429)
    met.clock.move(seconds=3)
    assert ask() == 200
    met.box.pipedrive_account.daily = DailyBudget(40)
    assert [ask(), ask(), ask()] == [200, 200, 429], "a list of API v1 costs 20 tokens"
    met.clock.move(hours=11)
    assert ask() == 429, "the day is not over"
    met.clock.move(hours=1)
    assert ask() == 200


def slack_counts(met: Met) -> None:
    for _ in range(3):  # a short burst
        met.slack.chat_postMessage(channel="sales", text="x")
    with pytest.raises(SlackApiError) as caught:
        met.slack.chat_postMessage(channel="sales", text="x")
    assert caught.value.response.headers["Retry-After"] == "1"
    met.slack.chat_postMessage(channel="other", text="each channel has a limit of its own")
    met.clock.move(seconds=1)
    met.slack.chat_postMessage(channel="sales", text="x")
    assert len(met.box.messages()) == 5


def search_is_behind(met: Met) -> None:
    met.box.set_habits(Habits(search_lag_seconds=3))
    met.box.put("hubspot", "contacts", "3", {"email": "late@example.com"})
    search = contacts.PublicObjectSearchRequest(
        filter_groups=[{"filters": [{"propertyName": "email", "operator": "EQ", "value": "late@example.com"}]}],
        sorts=[], properties=["email"], limit=10, after="0",
    )  # fmt: skip
    assert met.hubspot.crm.contacts.search_api.do_search(search).total == 0
    met.clock.move(seconds=4)
    assert met.hubspot.crm.contacts.search_api.do_search(search).total == 1


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


SHOWN: dict[str, Callable[[Met], None]] = {
    "drop_before": breaks_before,
    "drop_after": breaks_after,
    "time_out_after": never_answers,
    "too_many": says_too_many,
    "too_many_unsaid": says_too_many_and_no_more,
    "server_error": fails,
    "bad_gateway": shows_a_page,
    "slow": is_slow,
    "expired_token": expires,
    "partial": answers_partly,
    "hubspot_limits": hubspot_counts,
    "pipedrive_limits": pipedrive_counts,
    "slack_limits": slack_counts,
    "search_lag_seconds": search_is_behind,
    "reorder": comes_out_of_order,
    "redeliver": comes_again,
    "shared_event_id": shares_an_id,
    "burst": comes_in_bursts,
    "duplicate_within": is_twice_in_a_post,
    "duplicate_across": is_in_two_posts,
    "clock_skew_seconds": has_a_clock_that_is_off,
    "pipedrive_retries": pipedrive_tries_again,
    "pipedrive_ban": pipedrive_bans_and_deletes,
    "echo": echoes,
}


@pytest.mark.parametrize("name", TABLE)
def test_a_habit_does_what_is_said_of_it(name: str, met: Met) -> None:
    always(met, name)
    SHOWN[name](met)


def test_without_habits_nothing_goes_wrong(met: Met) -> None:
    assert [met.ask().status_code for _ in range(120)] == [200] * 120
    assert values(played(met, 20)) == list(range(20))


def test_the_same_seed_draws_the_same() -> None:
    def drawn(seed: int) -> list[Any]:
        tricks = Tricks("hubspot", named(["reorder", "duplicate_across", "duplicate_within"], seed=seed))
        return [tricks.posts([number]) for number in range(200)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_a_habit_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match="no habit 'sloth'"):
        named(["sloth"])
    assert named(["all"]).on() == tuple(TABLE)


def test_habits_are_switched_while_it_runs(met: Met) -> None:
    url = f"{met.places.base_url}/_sandbox/habits"
    assert httpx.put(url, json={"server_error": 1.0}, trust_env=False).status_code == 200
    assert met.ask().status_code == 500
    assert httpx.get(url, trust_env=False).json()["server_error"] == 1.0
    assert httpx.put(url, json={"sloth": 1.0}, trust_env=False).status_code == 422
    assert httpx.put(url, json={}, trust_env=False).status_code == 200
    assert met.ask().status_code == 200


def test_the_sdk_tries_again_as_it_would_with_hubspot(met: Met) -> None:
    met.box.set_habits(Habits(seed=4, server_error=0.5))
    patient = HubSpot(
        access_token="h", host=met.places.hubspot, retry=urllib3.Retry(total=8, status_forcelist=[500], backoff_factor=0)
    )
    assert patient.crm.contacts.basic_api.get_by_id("1", properties=["email"]).properties["email"] == "old1@example.com"
