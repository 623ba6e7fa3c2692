"""Each bad habit does what the table says of it, by itself; the official SDKs meet it as they would meet the vendor's."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import urllib3
from hubspot import HubSpot
from slack_sdk import WebClient

from automation.sandbox.habits import TABLE, Habits, named
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from automation.sandbox.tricks import Tricks
from tests.integration.sandbox import habits_of_answers as answers
from tests.integration.sandbox import habits_of_webhooks as webhooks
from tests.integration.sandbox.habits_of_webhooks import played, values
from tests.integration.sandbox.met import Met
from tests.support import FakeClock

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 0.3


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


SHOWN: dict[str, Callable[[Met], None]] = {
    "drop_before": answers.breaks_before,
    "drop_after": answers.breaks_after,
    "time_out_after": answers.never_answers,
    "too_many": answers.says_too_many,
    "too_many_unsaid": answers.says_too_many_and_no_more,
    "server_error": answers.fails,
    "bad_gateway": answers.shows_a_page,
    "slow": answers.is_slow,
    "expired_token": answers.expires,
    "partial": answers.answers_partly,
    "hubspot_limits": answers.hubspot_counts,
    "pipedrive_limits": answers.pipedrive_counts,
    "slack_limits": answers.slack_counts,
    "search_lag_seconds": answers.search_is_behind,
    "reorder": webhooks.comes_out_of_order,
    "redeliver": webhooks.comes_again,
    "shared_event_id": webhooks.shares_an_id,
    "burst": webhooks.comes_in_bursts,
    "duplicate_within": webhooks.is_twice_in_a_post,
    "duplicate_across": webhooks.is_in_two_posts,
    "clock_skew_seconds": webhooks.has_a_clock_that_is_off,
    "pipedrive_retries": webhooks.pipedrive_tries_again,
    "pipedrive_ban": webhooks.pipedrive_bans_and_deletes,
    "echo": webhooks.echoes,
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
