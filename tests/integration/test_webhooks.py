"""A webhook that Pipedrive has deleted is made anew, and what it did not tell meanwhile is found; HubSpot's are checked as sent to
the address that the doctor tells.
"""

import pytest
from sqlmodel import select

from api.sources.base import Inbound
from api.sources.hubspot import authenticate
from automation.clients.pipedrive import PipedriveClient
from automation.doctor import vendors
from automation.doctor.findings import Health
from automation.jobs import reconcile
from automation.pipeline.context import Loop
from automation.sandbox import signing
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from automation.webhooks import look
from data.warehouse.events import EventRow
from tests.conftest import LoopFactory
from tests.rounds import sandbox_at
from tests.support import HUBSPOT_SECRET, FakeClock

HOOK = "https://hooks.example.com/pipedrive"
USER, PASSWORD = "pipedrive", "pipedrive-password"
NAMES = ("webhooks.webhook.made_anew", "webhooks.look.refused", "webhooks.look.failed")


@pytest.fixture
def sandbox(clock: FakeClock) -> Sandbox:
    return sandbox_at(clock)


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses) -> Loop:
    return make_loop(addresses, pipedrive_webhook_url=HOOK, pipedrive_calls_per_2_seconds=10_000)


def set_up(loop: Loop) -> None:
    client = loop.clients.crms["pipedrive"]
    assert isinstance(client, PipedriveClient)
    assert client.ensure_webhook(HOOK, loop.settings.pipedrive_webhook_user, PASSWORD)


def addresses_of(sandbox: Sandbox) -> list[str]:
    return [webhook.url for webhook in sandbox.pipedrive_account.webhooks.values()]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [name for record in caplog.records for name in NAMES if name in record.message]


def asked(sandbox: Sandbox) -> int:
    return sum(request.path.endswith("/webhooks") for request in sandbox.requests)


def test_a_webhook_that_was_deleted_is_made_anew_and_the_gap_is_closed(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    set_up(loop)
    reconcile.sweep(loop)
    sandbox.pipedrive_account.webhooks.clear()
    sandbox.put("pipedrive", "deals", "7", {"title": "Roof"})  # of which nobody tells
    clock.move(hours=2)
    with caplog.at_level("WARNING"):
        reconcile.sweep(loop)
        clock.move(hours=2)
        reconcile.sweep(loop)
    assert addresses_of(sandbox) == [HOOK]
    assert said(caplog) == ["webhooks.webhook.made_anew"]
    with loop.database.read() as session:
        assert [event.type for event in session.exec(select(EventRow))] == ["deal.created"]


def test_it_has_the_user_and_password_that_the_collector_wants(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    set_up(loop)
    look(loop)
    sandbox.pipedrive_account.webhooks.clear()
    clock.move(hours=2)
    look(loop)
    (webhook,) = sandbox.pipedrive_account.webhooks.values()
    assert (webhook.user, webhook.password, webhook.action, webhook.entity) == (USER, PASSWORD, "*", "*")


def test_one_that_was_never_there_is_left_to_the_setup(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    for _ in range(3):
        look(loop)
        clock.move(hours=2)
    assert addresses_of(sandbox) == []


def test_it_is_asked_for_once_an_hour(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    set_up(loop)
    before = asked(sandbox)
    for _ in range(9):  # two hours and a bit, a quarter of an hour each
        look(loop)
        clock.move(minutes=15)
    assert asked(sandbox) - before == 3


def test_a_token_that_may_not_manage_webhooks_is_told_once(
    loop: Loop, sandbox: Sandbox, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    set_up(loop)
    look(loop)
    sandbox.fault = lambda _vendor, path: 403 if path.endswith("/webhooks") else None
    with caplog.at_level("WARNING"):
        for _ in range(3):
            clock.move(hours=2)
            reconcile.sweep(loop)
    assert said(caplog) == ["webhooks.look.refused"]
    sandbox.fault = None
    sandbox.pipedrive_account.webhooks.clear()
    clock.move(hours=2)
    look(loop)
    assert addresses_of(sandbox) == [HOOK], "it is looked for again all the while"


def test_without_a_user_and_a_password_nobody_is_asked(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> None:
    look(make_loop(addresses, pipedrive_webhook_user="", pipedrive_webhook_password=""))
    assert asked(sandbox) == 0


def test_what_the_collector_lets_in_the_doctor_does_not_call_refused(
    make_loop: LoopFactory, addresses: Addresses, clock: FakeClock
) -> None:
    loop = make_loop(addresses, hubspot_webhook_url="", public_url="https://leadloop.example/")
    ours, moment = "https://leadloop.example/collect/hubspot", int(clock.now().timestamp() * 1000)
    signature = signing.hubspot_v3(HUBSPOT_SECRET, "POST", ours, b"[]", moment)
    headers = {"x-hubspot-request-timestamp": str(moment), "x-hubspot-signature-v3": signature}
    authenticate(Inbound("POST", headers, b"[]"), loop.settings, clock.now())
    found = {one.check: one for one in vendors.hubspot(loop)}["hubspot webhooks"]
    assert (found.health, f"{ours};" in found.said) == (Health.OK, True), found
