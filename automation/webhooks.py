"""Where the CRMs are to call, and whether Pipedrive still does: it deletes a webhook that was not answered for three days,
and tells nobody.
"""

from dataclasses import dataclass
from datetime import timedelta

from automation.clients.pipedrive import PipedriveClient
from automation.pipeline.context import Loop
from data.errors import Permanent, VendorError
from data.log import get_logger
from data.settings import Settings
from data.warehouse import webhooks

log = get_logger("webhooks")

NAME = "pipedrive"
EVERY = timedelta(hours=1)  # a single call; what is missed meanwhile reconciliation finds
LONGEST_REASON = 500


def hubspot_address(settings: Settings) -> str:
    """Where HubSpot is to call, to the letter: it signs this."""
    return settings.hubspot_webhook_url or _ours(settings, "hubspot")


@dataclass(frozen=True)
class Hook:
    """Where Pipedrive is to call, and how it says who it is."""

    address: str
    user: str
    password: str


def hook_of(settings: Settings) -> Hook | None:
    """None: without user and password no webhook is let in, so none is wanted."""
    user, password = settings.pipedrive_webhook_user, settings.pipedrive_webhook_password.get_secret_value()
    address = settings.pipedrive_webhook_url or _ours(settings, NAME)
    return Hook(address, user, password) if user and password else None


def look(loop: Loop) -> None:
    """Once an hour: makes a webhook anew that was there before. One that was never there is for `leadloop pipedrive setup`."""
    client, hook = loop.clients.crms.get(NAME), hook_of(loop.settings)
    if not isinstance(client, PipedriveClient) or hook is None:
        return
    now = loop.clock.now()
    with loop.database.write() as session:
        row = webhooks.get(session, NAME, hook.address)
        last, was_there = row.looked_at, row.seen_at is not None
    if last is not None and now - last < EVERY:
        return
    try:
        if was_there:
            made = client.ensure_webhook(hook.address, hook.user, hook.password)
            _keep(loop, hook, is_there=True, made=made)
        else:
            _keep(loop, hook, is_there=client.has_webhook(hook.address, hook.user, hook.password))
    except Permanent as error:
        _keep(loop, hook, is_there=False, refused=error.detail[:LONGEST_REASON])
    except VendorError as error:
        log.warning("webhooks.look.failed", source=NAME, reason=error.detail)


def _ours(settings: Settings, source: str) -> str:
    return f"{settings.public_url.rstrip('/')}/collect/{source}"


def _keep(loop: Loop, hook: Hook, *, is_there: bool, made: bool = False, refused: str | None = None) -> None:
    now = loop.clock.now()
    with loop.database.write() as session:
        row = webhooks.get(session, NAME, hook.address)
        is_new, row.refused = row.refused is None, refused
        row.looked_at, row.seen_at = now, now if is_there else row.seen_at
        session.add(row)
    if made:
        log.warning("webhooks.webhook.made_anew", source=NAME, address=hook.address)
    if refused is not None and is_new:
        log.warning("webhooks.look.refused", source=NAME, reason=refused)
