"""Every check sees what is wrong, and nothing where nothing is."""

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, cast

import httpx
import pytest
import typer
from pydantic import SecretStr
from sqlalchemy import text

from automation import tokens
from automation.clients.base import Write
from automation.clients.histories import history_of
from automation.clients.history import Patience
from automation.clients.hubspot import OBJECTS, TOKEN_PATH
from automation.clients.registry import Clients, build_clients
from automation.doctor.findings import Finding, Health
from automation.doctor.run import CHECKS, examine
from automation.doctor.vendors import NEEDED_SCOPES, OTHER_SCOPES
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.reconcile import reconcile
from automation.record_fields import HUBSPOT_PROPERTIES, PIPEDRIVE_FIELDS
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind
from data.domain.event import Driver
from data.errors import Permanent
from data.settings import ROOT, Scope
from scripts.cli import app
from tests.conftest import LoopFactory
from tests.support import HOT, PIPEDRIVE_PASSWORD, PIPEDRIVE_USER, FakeClock, generic, settings_for

pytestmark = pytest.mark.slow

HOOK = "https://hooks.example.com/pipedrive"
ABOUT_HERE = ("service", "n8n", "mlflow", "disk", "worker")  # what runs on this machine is another matter


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> Loop:
    """Everything set up as the guide says."""
    made = make_loop(
        addresses, pipedrive_webhook_url=HOOK, deliver_slack="worker", deliver_hubspot="worker", deliver_pipedrive="worker"
    )
    hubspot: Any = made.clients.crms["hubspot"]
    pipedrive: Any = made.clients.crms["pipedrive"]
    hubspot.ensure_properties(EntityKind.CONTACT, HUBSPOT_PROPERTIES)
    pipedrive.ensure_properties(EntityKind.CONTACT, PIPEDRIVE_FIELDS)
    pipedrive.ensure_webhook(HOOK, PIPEDRIVE_USER, PIPEDRIVE_PASSWORD)
    return made


def said(loop: Loop) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(loop) if finding.check not in ABOUT_HERE}


def test_nothing_is_wrong_where_all_is_set_up(loop: Loop) -> None:
    found = said(loop)
    assert {check: one.said for check, one in found.items() if one.health in {Health.BAD, Health.WARNING}} == {}
    assert {
        "database", "settings", "tokens", "models",
        "hubspot", "hubspot fields", "hubspot webhooks", "pipedrive fields", "pipedrive webhook",
        "slack", "slack channel", "calls", "dead letters", "waiting payloads", "waiting events",
    } <= found.keys()  # fmt: skip


def without(loop: Loop, **overrides: Any) -> Loop:
    changed = loop.settings.model_copy(update=overrides)
    return replace(loop, settings=changed)


def execute(loop: Loop, statement: str, **values: Any) -> None:
    with loop.database.write() as session:
        session.execute(text(statement), values)


def old_backlog(loop: Loop, _sandbox: Sandbox, clock: FakeClock) -> Loop:
    collect(loop, "generic", json.dumps([generic(**HOT)]).encode(), Driver.WORKER)
    clock.move(hours=3)
    return loop


def young_backlog(loop: Loop, _sandbox: Sandbox, clock: FakeClock) -> Loop:
    collect(loop, "generic", json.dumps([generic(**HOT)]).encode(), Driver.WORKER)
    clock.move(minutes=11)
    return loop


def set_aside(loop: Loop, _sandbox: Sandbox, _clock: FakeClock) -> Loop:
    collect(loop, "generic", b"no JSON", Driver.WORKER)
    return loop


def resting(loop: Loop, _sandbox: Sandbox, clock: FakeClock) -> Loop:
    execute(loop, "INSERT INTO paces (name, full_at, failures, rests_until, error) VALUES ('elsewhere', 0, 9, :until, '502')",
            until=clock.now() + timedelta(minutes=4))  # fmt: skip
    return loop


def stale_look(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> Loop:
    reconcile(loop, "hubspot", history_of("hubspot", loop.clients, loop.settings, Patience(tries=1)))
    clock.move(hours=2)
    return loop


def nothing_to_look_at(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> Loop:
    sandbox.unscoped |= {("hubspot", kind) for kind in OBJECTS.values()}
    return stale_look(loop, sandbox, clock)


def moved(loop: Loop, _sandbox: Sandbox, _clock: FakeClock) -> Loop:
    return without(loop, pipedrive_webhook_url="https://moved.example")


def older_schema(loop: Loop, _sandbox: Sandbox, _clock: FakeClock) -> Loop:
    execute(loop, "UPDATE alembic_version SET version_num = '0001_the_loop'")
    return loop


def expired_token(loop: Loop, _sandbox: Sandbox, clock: FakeClock) -> Loop:
    tokens.create(loop.database, clock, "ada", "n8n", frozenset({Scope.COLLECT}), lasts=timedelta(days=1))
    clock.move(days=2)
    return without(loop, api_tokens=SecretStr(""))


def other_tokens(loop: Loop, _sandbox: Sandbox, _clock: FakeClock, **overrides: Any) -> Loop:
    wanted = settings_for(loop.settings.var_dir, **{**loop.settings.model_dump(), **overrides})
    return replace(loop, settings=wanted, clients=build_clients(wanted))


def no_secret(loop: Loop, _sandbox: Sandbox, _clock: FakeClock) -> Loop:
    return without(loop, hubspot_client_secret=SecretStr(""))


def granted_all_but(*names: str) -> "Fault":
    def fault(loop: Loop, sandbox: Sandbox, _clock: FakeClock) -> Loop:
        sandbox.hubspot_account.scopes -= set(names)
        return loop

    return fault


def no_private_app(loop: Loop, sandbox: Sandbox, _clock: FakeClock) -> Loop:
    sandbox.fault = lambda vendor, path: 404 if path == TOKEN_PATH else None
    return loop


CONTACTS_WRITE, OWNERS, SCHEMAS = "crm.objects.contacts.write", "crm.objects.owners.read", "crm.schemas.contacts.read"
Fault = Callable[[Loop, Sandbox, FakeClock], Loop]
FAULTS: dict[str, tuple[Fault, str, Health, str]] = {
    "older schema": (older_schema, "database", Health.BAD, "`leadloop serve` migrates it"),
    "no token": (lambda loop, *_: without(loop, api_tokens=SecretStr("")), "tokens", Health.BAD, "tokens create"),
    "expired token": (expired_token, "tokens", Health.BAD, "tokens rotate n8n"),
    "no model": (lambda loop, *_: without(loop, lead_model="nobody"), "models", Health.BAD, "leadloop train"),
    "hubspot token": (lambda *all_: other_tokens(*all_, hubspot_token="wrong"), "hubspot", Health.BAD, ""),
    "hubspot writes": (granted_all_but(CONTACTS_WRITE), "hubspot scopes", Health.BAD, "leadloop replay --dead-letters"),
    "hubspot owners": (granted_all_but(OWNERS), "hubspot scopes, optional", Health.WARNING, "add them"),
    "hubspot schemas": (granted_all_but(SCHEMAS), "hubspot fields", Health.WARNING, SCHEMAS),
    "hubspot reads": (granted_all_but("crm.objects.deals.read"), "hubspot deal", Health.BAD, "add the scope"),
    "no private app": (no_private_app, "hubspot scopes", Health.WARNING, "docs/operations.md"),
    "no webhook": (moved, "pipedrive webhook", Health.BAD, "leadloop pipedrive setup"),
    "no address": (lambda loop, *_: without(loop, hubspot_webhook_url=""), "hubspot webhooks", Health.WARNING, "WEBHOOK_URL"),
    "no secret": (no_secret, "hubspot webhooks", Health.BAD, "LEADLOOP_HUBSPOT_CLIENT_SECRET"),
    "no channel": (lambda loop, *_: without(loop, slack_channel="#nowhere"), "slack channel", Health.BAD, "/invite"),
    "slack token": (lambda *all_: other_tokens(*all_, slack_token="wrong"), "slack", Health.BAD, ""),
    "nothing connected": (lambda loop, *_: replace(loop, clients=Clients()), "slack", Health.ABSENT, "docs/operations.md"),
    "old backlog": (old_backlog, "waiting events", Health.BAD, "worker"),
    "young backlog": (young_backlog, "waiting events", Health.WARNING, "worker"),
    "set aside": (set_aside, "dead letters", Health.WARNING, "leadloop replay"),
    "vendor rests": (resting, "calls to elsewhere", Health.WARNING, "status page"),
    "nothing may be looked at": (nothing_to_look_at, "reconciliation hubspot", Health.WARNING, "scopes"),
    "nobody looks": (stale_look, "reconciliation hubspot", Health.WARNING, "reconcile.look.failed"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_seen_with_its_remedy(loop: Loop, sandbox: Sandbox, clock: FakeClock, name: str) -> None:
    fault, check, health, remedy = FAULTS[name]
    found = said(fault(loop, sandbox, clock))[check]
    assert found.health is health, found
    assert found.said
    assert remedy in found.remedy
    assert "leadloop " not in re.sub("`[^`]*`", "", found.remedy), "a command is told from the words around it"
    for command in commands(found.remedy):
        parsed(command)


def commands(text: str) -> list[str]:
    return re.findall(r"`(leadloop [^`]+)`", text)


def parsed(line: str) -> dict[str, Any]:
    """The arguments of a command as our command line reads them, without running it. Raises what it would say of a wrong one."""
    command, context = cast(Any, typer.main.get_command(app)), None
    name, *words = shlex.split(line)
    while True:
        context = command.make_context(name, words, parent=context)
        if not isinstance(command, typer.core.TyperGroup):
            return dict(context.params)
        name, command, words = command.resolve_command(context, [*context._protected_args, *context.args])


def test_every_command_that_the_doctor_tells_is_one(loop: Loop) -> None:
    code = "".join(path.read_text() for path in (ROOT / "automation" / "doctor").glob("*.py"))
    told = [re.sub(r"\{[^}]*\}", "lead_score", command) for command in commands(code)]
    assert len(told) > 10
    for command in told:
        parsed(command)
    (create,) = commands(said(without(loop, api_tokens=SecretStr("")))["tokens"].remedy)
    assert set(parsed(create)["scopes"].split("+")) <= set(Scope)
    with pytest.raises(Exception, match="No such option: --scope"):
        parsed("leadloop tokens create n8n --scope read")


def test_a_kind_that_is_refused_for_good_is_named_and_hides_no_stall(loop: Loop, sandbox: Sandbox, clock: FakeClock) -> None:
    sandbox.unscoped.add(("hubspot", "tickets"))
    stale_look(loop, sandbox, clock)
    look = partial(reconcile, loop, "hubspot", history_of("hubspot", loop.clients, loop.settings, Patience(tries=1)))
    look()
    found = said(loop)["reconciliation hubspot"]
    assert (found.health, "but for ticket: refused" in found.said) == (Health.OK, True), found
    sandbox.fault = lambda _vendor, path: 500 if path.endswith("search") else None
    clock.move(hours=2)
    look()
    assert said(loop)["reconciliation hubspot"].health is Health.WARNING


def test_fields_that_nobody_created_are_named(make_loop: LoopFactory, addresses: Addresses) -> None:
    found = said(make_loop(addresses))
    for check in ("hubspot fields", "pipedrive fields"):
        assert found[check].health is Health.BAD
        assert "predicted_score" in found[check].said


def test_scopes_that_are_needed_are_told_apart_from_the_others(loop: Loop, sandbox: Sandbox) -> None:
    sandbox.hubspot_account.scopes -= {CONTACTS_WRITE, OWNERS}
    found = said(loop)
    assert "lacks crm.objects.contacts.write (writing the predicted_ fields)" in found["hubspot scopes"].said
    assert OWNERS not in found["hubspot scopes"].said
    assert OWNERS in found["hubspot scopes, optional"].said
    assert found["hubspot"].health is Health.OK, "it reads all the same"
    hubspot: Any = loop.clients.crms["hubspot"]
    with pytest.raises(Permanent, match="MISSING_SCOPES"):
        hubspot.write(EntityKind.CONTACT, [Write("1", {"predicted_score": 0.5})])


def test_every_scope_is_in_the_docs() -> None:
    table = (ROOT / "docs" / "operations.md").read_text().split("### HubSpot")[1].split("### Pipedrive")[0]
    rows = [row.split("|")[1:3] for row in table.splitlines() if row.lstrip().startswith("| `")]
    named = {name: needed.strip() == "yes" for names, needed in rows for name in re.findall("`([^`]+)`", names)}
    if_used = {"crm.objects.leads.read", "tickets", "e-commerce"}
    assert named == dict.fromkeys(NEEDED_SCOPES, True) | dict.fromkeys({*OTHER_SCOPES, *if_used}, False)


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(loop: Loop) -> None:
    execute(loop, "DROP TABLE paces")
    found = {finding.check: finding for finding in examine(loop)}
    assert found["calls"].health is Health.BAD
    assert "waiting events" in found


def test_the_doctor_changes_nothing(loop: Loop, sandbox: Sandbox) -> None:
    before = len(sandbox.requests)
    said(loop)
    asked = list(sandbox.requests)[before:]
    assert asked
    others = {(one.method, one.path) for one in asked if one.vendor != "slack"}  # Slack's SDK posts whatever it asks
    assert {path.removeprefix("/hubspot") for method, path in others if method != "GET"} == {TOKEN_PATH}, (
        "HubSpot takes the token that it tells of in a body"
    )


def test_no_secret_is_told(make_loop: LoopFactory, addresses: Addresses) -> None:
    told = json.dumps([str(finding) for finding in examine(make_loop(addresses, hubspot_token="a-wrong-token-of-ours"))])
    assert "a-wrong-token-of-ours" not in told


def test_every_check_is_in_the_docs() -> None:
    page = (ROOT / "docs" / "doctor.md").read_text()
    assert [name for name, _ in CHECKS if f"| {name} |" not in page] == []


def test_the_service_is_asked_where_others_would(loop: Loop, api_url: str, api: httpx.Client) -> None:
    found = {one.check: one for one in examine(without(loop, public_url=api_url))}["service"]
    assert found.health is Health.OK
    found = {one.check: one for one in examine(without(loop, public_url="http://127.0.0.1:9"))}["service"]
    assert (found.health, found.remedy.startswith("`leadloop serve`")) == (Health.BAD, True)
