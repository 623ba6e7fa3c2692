"""How the stand-ins' answers go wrong, as a client sees it."""

import httpx
import pytest
from hubspot.crm import contacts
from slack_sdk.errors import SlackApiError

from automation.clients.base import Record
from automation.clients.hubspot import HubSpotClient
from automation.clients.pipedrive import PipedriveClient
from automation.clients.slack import SlackClient
from automation.sandbox.habits import Habits
from automation.sandbox.limits import DailyBudget
from data.domain.entity import EntityKind
from tests.integration.sandbox.met import Met


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
