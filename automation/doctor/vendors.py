"""Checks of the vendors: whether they know us, let us do what we need, and tell us what happens."""

import re
from collections.abc import Iterator
from datetime import timedelta

from automation.clients.hubspot import OBJECTS, HubSpotClient
from automation.clients.pipedrive import PipedriveClient
from automation.doctor.findings import Finding, absent, bad, in_words, ok, warning
from automation.pipeline.context import Loop
from automation.record_fields import FIELDS
from automation.webhooks import hook_of, hubspot_address
from data.domain.entity import EntityKind
from data.errors import Permanent
from data.settings import Settings
from data.warehouse import paces

# Without these the loop does not close; without the others, less is known.
NEEDED = frozenset({EntityKind.CONTACT, EntityKind.DEAL})
NEEDED_SCOPES = {
    "crm.objects.contacts.read": "looking contacts up",
    "crm.objects.contacts.write": "writing the predicted_ fields",
    "crm.objects.deals.read": "outcomes",
}
OTHER_SCOPES = {
    "crm.schemas.contacts.read": "the account's own properties",
    "crm.schemas.contacts.write": "creating ours",
    "crm.objects.companies.read": "whom a contact works for",
    "crm.schemas.companies.read": "whom a contact works for",
    "crm.schemas.deals.read": "the account's own properties of deals",
    "crm.objects.owners.read": "names of owners",
    "sales-email-read": "the text of e-mails",
}
# Of a public channel, and of a private one.
SLACK_SCOPES = ("chat:write", "channels:read", "channels:history"), ("chat:write", "groups:read", "groups:history")
# What vendors say to a token that is wrong, was taken back or has run out: Slack by a word, the others by the status.
REFUSED = re.compile(r"answered 401|invalid_auth|not_authed|token_expired|token_revoked")
RENEW = "its token is refused: put a new one into the settings and start again; nothing is lost meanwhile"
# Whom nobody has called for so long is not in use any more.
NOT_ASKED_FOR = timedelta(days=1)
ADD_SCOPES = "add them to the private app"
AGAIN = "`leadloop replay --dead-letters` sends what was refused meanwhile"
FIELD_NAMES = tuple(row[0] for row in FIELDS)


def hubspot(loop: Loop) -> Iterator[Finding]:
    """What the token may do, whether our fields are there, and whether webhooks can be checked."""
    client = loop.clients.crms.get("hubspot")
    if not isinstance(client, HubSpotClient):
        yield absent("hubspot", "LEADLOOP_HUBSPOT_TOKEN is not set", "docs/operations.md says how to connect it")
        return
    refused = client.unreadable(tuple(OBJECTS))
    if set(refused) == set(OBJECTS):
        yield bad("hubspot", f"nothing can be read: {next(iter(refused.values()))}", "is the token that of the private app?")
        return
    yield ok("hubspot", f"the token reads {len(OBJECTS) - len(refused)} of {len(OBJECTS)} kinds of records")
    for kind, said in refused.items():
        remedy = f"add the scope to read {OBJECTS[kind]} to the private app"
        yield bad(f"hubspot {kind}", said, remedy) if kind in NEEDED else warning(f"hubspot {kind}", said, remedy)
    yield from _scopes(client)
    yield from _hubspot_fields(client)
    yield _hubspot_webhooks(loop.settings)


def _scopes(client: HubSpotClient) -> Iterator[Finding]:
    """A token reads without a write scope, and then every write-back dies."""
    try:
        granted = client.scopes()
    except Permanent as error:
        yield warning("hubspot scopes", error.detail, "compare them with the table in docs/operations.md")
        return
    needed, others = (
        [f"{name} ({use})" for name, use in table.items() if name not in granted] for table in (NEEDED_SCOPES, OTHER_SCOPES)
    )
    if needed:
        yield bad("hubspot scopes", f"the token lacks {', '.join(needed)}", f"{ADD_SCOPES}; then {AGAIN}")
    if others:
        yield warning("hubspot scopes, optional", f"the token lacks {', '.join(others)}", f"{ADD_SCOPES}, if that is wanted")
    if not needed and not others:
        yield ok("hubspot scopes", "the token has all")


def _hubspot_fields(client: HubSpotClient) -> Iterator[Finding]:
    try:
        missing = client.missing_properties(EntityKind.CONTACT, FIELD_NAMES)
    except Permanent as error:
        yield warning("hubspot fields", f"cannot be looked at: {error.detail}", "add crm.schemas.contacts.read to the private app")
        return
    if missing:
        yield bad("hubspot fields", f"contacts have no {', '.join(missing)}", "`leadloop hubspot setup`")
    else:
        yield ok("hubspot fields", "all are there")


def _hubspot_webhooks(settings: Settings) -> Finding:
    address = hubspot_address(settings)
    if not settings.hubspot_client_secret.get_secret_value():
        return bad("hubspot webhooks", "no signature can be checked, so every webhook is refused",
                   "set LEADLOOP_HUBSPOT_CLIENT_SECRET")  # fmt: skip
    if not address.startswith("https://"):
        return warning("hubspot webhooks", f"checked as sent to {address}, where HubSpot does not call: it calls https alone, and "
                       "signs the address that it calls", "set LEADLOOP_HUBSPOT_WEBHOOK_URL to the address in the app")  # fmt: skip
    return ok("hubspot webhooks", f"checked as sent to {address}; HubSpot does not tell what it is "
              "subscribed to, so compare the list in the app with `leadloop hubspot setup`")  # fmt: skip


def pipedrive(loop: Loop) -> Iterator[Finding]:
    """Whether our fields are there, and whether the webhook still is."""
    client = loop.clients.crms.get("pipedrive")
    if not isinstance(client, PipedriveClient):
        yield absent("pipedrive", "LEADLOOP_PIPEDRIVE_API_TOKEN is not set", "docs/operations.md says how to connect it")
        return
    if missing := client.missing_properties(EntityKind.CONTACT, FIELD_NAMES):
        yield bad("pipedrive fields", f"persons have no {', '.join(missing)}", "`leadloop pipedrive setup`")
    else:
        yield ok("pipedrive fields", "all are there")
    if (hook := hook_of(loop.settings)) is None:
        yield bad("pipedrive webhook", "has no user and password, so every webhook is refused",
                  "set LEADLOOP_PIPEDRIVE_WEBHOOK_USER and LEADLOOP_PIPEDRIVE_WEBHOOK_PASSWORD")  # fmt: skip
        return
    if client.has_webhook(hook.address, hook.user, hook.password):
        yield ok("pipedrive webhook", f"tells everything to {hook.address}")
    else:
        yield bad("pipedrive webhook", f"none tells anything to {hook.address}: it was never made, or deleted after three days "
                  "without an answer", "`leadloop pipedrive setup`, then `leadloop backfill pipedrive`")  # fmt: skip


def slack(loop: Loop) -> Iterator[Finding]:
    """Whether the bot may do what it needs to, and is where it posts."""
    client, channel = loop.clients.slack, loop.settings.slack_channel
    if client is None:
        yield absent("slack", "LEADLOOP_SLACK_TOKEN is not set", "docs/operations.md says how to connect it")
        return
    team, scopes = client.about()
    is_member, is_private = client.membership(channel)
    if scopes and (missing := [name for name in SLACK_SCOPES[is_private] if name not in scopes]):
        yield warning("slack scopes", f"the bot in {team} lacks {', '.join(missing)}", "add them to the app and install it anew")
    else:
        yield ok("slack", f"a bot in {team}")
    if is_member:
        yield ok("slack channel", f"the bot is in {channel}")
    else:
        more = "" if "groups:read" in scopes else f"; if it is private, add {' and '.join(SLACK_SCOPES[True][1:])} to the app"
        yield bad("slack channel", f"the bot is not in {channel}, or may not see it", f"/invite it there{more}")


def company_data(loop: Loop) -> Iterator[Finding]:
    """Not asked: a look-up costs a credit."""
    names = [provider.name for provider in loop.clients.company_data]
    if names:
        yield ok("company data", f"{', '.join(names)}; not asked, since a look-up costs a credit")
    else:
        yield absent("company data", "no provider has a key")


def limits(loop: Loop) -> Iterator[Finding]:
    """Who is left alone because it did not answer, or has not answered since."""
    now = loop.clock.now()
    with loop.database.read() as session:
        rows = paces.every(session)
    away = [(row, row.rests_until - now) for row in rows if row.rests_until is not None and row.rests_until > now - NOT_ASKED_FOR]
    for row, rest in away:
        rests = f"it is left alone for {in_words(rest)}" if rest > timedelta(0) else "it has not answered since it was left alone"
        remedy = RENEW if REFUSED.search(row.error or "") else "its status page; nothing is lost meanwhile"
        yield warning(f"calls to {row.name}", f"{rests}, after {row.failures} failures: {row.error}", remedy)
    if not away:
        yield ok("calls", "no vendor is left alone")
