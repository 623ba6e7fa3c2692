"""Options and labels of Pipedrive: records have their ids, models and people see what the account calls them, told once."""

from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import select

from automation import knowledge
from automation.backfill import backfill
from automation.clients.histories import history_of
from automation.clients.history import Patience
from automation.clients.pipedrive import FIELD_PATHS
from automation.clients.registry import Clients, build_clients
from automation.jobs import names, worker
from automation.pipeline.context import Loop
from automation.reconcile import reconcile
from automation.sandbox.player import PipedrivePlayer
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from automation.sources.properties import KEYED
from data.domain.entity import EntityKind
from data.warehouse.facts import FactRow
from tests.conftest import LoopFactory
from tests.support import COLD, FakeClock
from tests.telling import features, post

PATIENCE = Patience(tries=3, sleep=lambda _seconds: None)
WANTED = ("Tier", "Interests", "label_ids")
TOLD = ("Gold", "Ovens, Roofs", "Hot, New")


class Account:
    """A stand-in account with a field of one option, one of several, and labels."""

    def __init__(self, box: Sandbox) -> None:
        self.box = box
        self.tier = box.define_pipedrive_field("persons", "Tier", "enum", ("Gold", "Silver"))
        self.interests = box.define_pipedrive_field("persons", "Interests", "set", ("Roofs", "Ovens", "Doors"))
        self.labels = dict(zip(("Hot", "New"), box.define_pipedrive_labels("persons", "Hot", "New"), strict=True))
        self.player = PipedrivePlayer(box, "http://unused", "user", "password")

    def option(self, key: str, label: str) -> int:
        (found,) = (row["id"] for row in self.box.pipedrive_account.fields["persons"][key]["options"] if row["label"] == label)
        return int(found)

    def person(self, tier: str = "Gold", interests: tuple[str, ...] = ("Roofs", "Ovens")) -> dict[str, Any]:
        return {
            "name": "Ada", "email": "ada@example.com", **COLD, "Tier": self.option(self.tier, tier),
            "Interests": [self.option(self.interests, one) for one in interests], "label_ids": [*self.labels.values()],
        }  # fmt: skip


@pytest.fixture
def sandbox(clock: FakeClock) -> Sandbox:
    tokens = {"hubspot_token": "hubspot-token", "pipedrive_token": "pipedrive-token", "slack_token": "slack-token"}
    return Sandbox(**tokens, channels=("sales",), now=clock.now)


@pytest.fixture
def account(sandbox: Sandbox) -> Account:
    return Account(sandbox)


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, account: Account) -> Loop:
    return make_loop(addresses, hubspot_calls_per_10_seconds=10_000, pipedrive_calls_per_2_seconds=10_000)


def stored(loop: Loop, *keys: str) -> list[str | None]:
    """The values that are stored under these keys or names."""
    with loop.database.read() as session:
        return [row.value for row in session.exec(select(FactRow)) if row.name in keys]


def shown(loop: Loop, name: str) -> list[str | None]:
    """All values that a property has had, as the models see them."""
    with loop.database.read() as session:
        told = knowledge.recall_all(session, ())
    return [row["value"] for row in told.sort("occurred_at", "id").iter_rows(named=True) if row["name"] == name]


def looked_at(loop: Loop, clock: FakeClock) -> int:
    clock.move(minutes=5)
    history = history_of("pipedrive", loop.clients, loop.settings, PATIENCE)
    return sum(gap.missed for gap in reconcile(loop, "pipedrive", history))


def test_options_and_labels_are_known_by_what_the_account_calls_them(loop: Loop, account: Account) -> None:
    post(loop, "pipedrive", account.player.created("7", account.person()))
    worker.sweep_inbox(loop)
    assert features(loop, *WANTED) == TOLD


def test_what_they_were_before_is_known_by_it_too(loop: Loop, account: Account, clock: FakeClock) -> None:
    post(loop, "pipedrive", account.player.created("7", account.person("Silver")))
    clock.move(minutes=1)
    post(loop, "pipedrive", account.player.changed("7", {"Tier": account.option(account.tier, "Gold"), "label_ids": []}))
    names.refresh(loop)
    assert shown(loop, "Tier") == ["Silver", "Gold"]
    assert shown(loop, "label_ids") == ["Hot, New", None]
    assert features(loop, *WANTED) == ("Gold", "Ovens, Roofs", None)


def test_a_schema_that_is_read_late_makes_no_second_telling(
    loop: Loop, account: Account, clock: FakeClock, sandbox: Sandbox
) -> None:
    sandbox.fault = lambda _vendor, path: 500 if "Fields" in path else None
    post(loop, "pipedrive", account.player.created("7", account.person()))
    worker.sweep_inbox(loop)
    ids = stored(loop, account.tier, account.interests, "label_ids")
    sandbox.fault = None
    names.refresh(loop)
    assert features(loop, *WANTED) == TOLD
    clock.move(hours=25)
    post(loop, "pipedrive", account.player.changed("7", {"name": "Ada L"}))
    worker.sweep_inbox(loop)  # looks the record up again
    assert looked_at(loop, clock) == 0, "a number is no news of a label"
    assert set(stored(loop, account.tier, account.interests, "label_ids", *WANTED)) == set(ids)
    assert (set(shown(loop, "Tier")), set(shown(loop, "Interests"))) == ({"Gold"}, {"Ovens, Roofs"})


def test_the_past_that_is_read_after_a_webhook_tells_nothing_twice(loop: Loop, account: Account, clock: FakeClock) -> None:
    post(loop, "pipedrive", account.player.created("7", account.person("Silver")))
    clock.move(minutes=1)
    post(loop, "pipedrive", account.player.changed("7", {"Tier": account.option(account.tier, "Gold"), "Interests": []}))
    names.refresh(loop)
    before = {name: shown(loop, name) for name in WANTED}
    backfill(loop, "pipedrive", history_of("pipedrive", loop.clients, loop.settings, PATIENCE))
    assert {name: shown(loop, name) for name in WANTED} == before


def test_a_past_alone_has_labels_from_its_beginning(loop: Loop, account: Account, sandbox: Sandbox, clock: FakeClock) -> None:
    sandbox.put("pipedrive", "persons", "7", account.person("Silver"))
    clock.move(days=1)
    sandbox.put(
        "pipedrive",
        "persons",
        "7",
        {"Tier": account.option(account.tier, "Gold"), "Interests": [account.option(account.interests, "Doors")]},
    )
    clock.move(days=1)
    backfill(loop, "pipedrive", history_of("pipedrive", loop.clients, loop.settings, PATIENCE))
    assert {name: shown(loop, name) for name in WANTED} == {
        "Tier": ["Silver", "Gold"], "Interests": ["Ovens, Roofs", "Doors"], "label_ids": ["Hot, New"],
    }  # fmt: skip


def test_a_lead_of_the_older_api_is_told_once_whoever_tells_of_it(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    key = sandbox.define_pipedrive_field("deals", "Needs", "set", ("Speed", "Price"))
    options = [row["id"] for row in sandbox.pipedrive_account.fields["deals"][key]["options"]]
    (warm,) = sandbox.define_pipedrive_labels("leads", "Warm")
    player = PipedrivePlayer(sandbox, "http://unused", "user", "password")
    number = "11111111-1111-4111-8111-111111111111"
    post(loop, "pipedrive", player.created(number, {"title": "Roof", "Needs": options, "label_ids": [warm]}, kind="leads"))
    names.refresh(loop)
    assert looked_at(loop, clock) == 0
    backfill(loop, "pipedrive", history_of("pipedrive", loop.clients, loop.settings, PATIENCE))
    assert (shown(loop, "Needs"), shown(loop, "label_ids")) == (["Price, Speed"], ["Warm"])


def test_an_option_stays_what_it_was_first_called_and_a_new_one_is_learned(loop: Loop, account: Account, sandbox: Sandbox) -> None:
    post(loop, "pipedrive", account.player.created("7", account.person()))
    names.refresh(loop)
    options = sandbox.pipedrive_account.fields["persons"][account.tier]["options"]
    options[0]["label"] = "Premium"
    options.append({"id": 900, "label": "Bronze"})
    loop.clients.crms["pipedrive"]._schemas.clear()  # type: ignore[attr-defined]  # five minutes later
    names.refresh(loop)
    post(loop, "pipedrive", account.player.changed("7", {"Tier": 900}))
    assert shown(loop, "Tier") == ["Gold", "Bronze"]


def test_an_option_that_the_account_has_no_more_keeps_its_id(loop: Loop, account: Account) -> None:
    post(loop, "pipedrive", account.player.created("7", account.person() | {"Tier": 5, "Interests": [5]}))
    names.refresh(loop)
    assert (shown(loop, "Tier"), shown(loop, "Interests")) == (["5"], ["5"])


def test_a_user_who_may_not_see_leads_learns_the_other_names(loop: Loop, account: Account, sandbox: Sandbox) -> None:
    sandbox.fault = lambda _vendor, path: 403 if path.endswith("leadLabels") else None
    sandbox.define_pipedrive_field("deals", "Needs")
    assert set(loop.clients.crms["pipedrive"].names(EntityKind.LEAD).values()) == {"Needs"}


def asked(sandbox: Sandbox) -> list[str]:
    """The kinds of fields that were asked for, in order."""
    ends = {path.rpartition("/")[2] for path in FIELD_PATHS.values()}
    return [end for request in sandbox.requests if (end := request.path.rpartition("/")[2]) in ends]


def just_started(loop: Loop) -> Loop:
    return replace(loop, clients=build_clients(loop.settings))


def test_all_processes_together_ask_once_an_hour(loop: Loop, account: Account, sandbox: Sandbox, clock: FakeClock) -> None:
    for turn in (1, 2):
        names.sweep(replace(loop, clients=Clients()))  # knows no CRM, and takes nobody's turn
        for _ in range(3):
            names.sweep(just_started(loop))
            assert len(asked(sandbox)) == turn * len(KEYED["pipedrive"])
        clock.move(hours=1)
    post(loop, "pipedrive", account.player.created("7", account.person()))
    assert shown(loop, "Tier") == ["Gold"], "what one has asked is there for all"


def test_what_could_not_be_asked_is_left_to_who_comes_next(loop: Loop, account: Account, sandbox: Sandbox) -> None:
    persons = FIELD_PATHS[EntityKind.CONTACT].rpartition("/")[2]
    sandbox.fault = lambda _vendor, path: 500 if path.endswith(persons) else None
    names.sweep(just_started(loop))
    sandbox.fault = None
    before = len(asked(sandbox))
    for _ in range(2):
        names.sweep(just_started(loop))
        assert asked(sandbox)[before:] == [persons]
    post(loop, "pipedrive", account.player.created("7", account.person()))
    assert shown(loop, "Tier") == ["Gold"]
