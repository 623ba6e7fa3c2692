"""Hot leads in Slack: who, how likely, and why, with a link to the record. Once, when the lead turns hot."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from automation.clients.registry import Clients
from automation.clients.slack import MESSAGES, SlackClient, limit_of
from automation.destinations import digest
from automation.destinations.base import Activation, Limit, Sent
from automation.destinations.mrkdwn import LONGEST_HEADER, LONGEST_LINE, escape
from data.domain.delivery import Alert, DeliveryKind
from data.domain.entity import EntityKind
from data.domain.prediction import Label, percent
from data.errors import Permanent, VendorError
from data.settings import Settings
from data.warehouse.deliveries import DeliveryRow
from ml.serving.explain import in_words

BLOCK_PREFIX = "leadloop-"
TOP_FACTORS = 3
LONGEST_NAME = 500
# Other clocks differ from ours by seconds; a message is looked for from a little before its delivery was made.
LOOK_BACK = timedelta(minutes=2)


@dataclass(frozen=True)
class SlackDestination:
    name: str = "slack"
    kind: DeliveryKind = DeliveryKind.ALERT

    def carrier(self, settings: Settings) -> str:
        return settings.deliver_slack

    def configured(self, clients: Clients) -> bool:
        return clients.slack is not None

    def content(self, activation: Activation) -> dict[str, Any] | None:
        if not turns_hot(activation):
            return None
        content = Alert(
            channel=activation.settings.slack_channel,
            block_id=BLOCK_PREFIX + activation.delivery_id,
            text=f"Hot lead: {escape(_who(activation)[:LONGEST_NAME])}, {percent(activation.prediction.score)} likely",
            blocks=_blocks(activation),
        )
        return content.model_dump(mode="json")

    def n8n_can(self, activation: Activation) -> bool:
        return True

    def limit(self, settings: Settings, clients: Clients) -> Limit:
        return Limit(limit_of(settings.slack_channel), MESSAGES)

    def batches(self, clients: Clients, rows: Sequence[DeliveryRow]) -> list[Sequence[DeliveryRow]]:
        """Many that wait for one channel become a digest. What may have been posted before is looked for one by one."""
        fresh: dict[str, list[DeliveryRow]] = {}
        for row in rows:
            if not row.lost_leases:
                fresh.setdefault(row.content["channel"], []).append(row)
        crowds = [crowd for crowd in fresh.values() if len(crowd) >= digest.FEWEST]
        together = {row.id for crowd in crowds for row in crowd}
        return [*([row] for row in rows if row.id not in together), *crowds]

    def send(self, clients: Clients, rows: Sequence[DeliveryRow]) -> dict[str, Sent]:
        assert clients.slack is not None
        if len(rows) == 1:
            return {rows[0].id: post(clients.slack, rows[0])}
        text, blocks = digest.digest([row.content for row in rows])
        sent = _posted(clients.slack, rows[0].content["channel"], text, blocks)
        return {row.id: sent for row in rows}


def turns_hot(activation: Activation) -> bool:
    """A lead alerts when it crosses the threshold, not on every event above it.

    Having cooled, it may alert again, but not within the quiet days: a score that hovers at the threshold is no news.
    """
    if activation.prediction.label is not Label.HIGH:
        return False
    if activation.last_alert_at is None:
        return True
    quiet = timedelta(days=activation.settings.alert_quiet_days)
    return activation.cooled and activation.occurred_at - activation.last_alert_at >= quiet


class Message(Protocol):
    """What is posted: an Alert's content. `lost_leases`: how often it may have been posted without our hearing of it."""

    content: dict[str, Any]
    lost_leases: int
    created_at: datetime


def post(slack: SlackClient, row: Message) -> Sent:
    """Posts, unless an earlier try that was not heard of again did so already."""
    doubt = None
    channel, block_id = row.content["channel"], row.content["block_id"]
    if row.lost_leases:
        try:
            if (found := slack.find(channel, block_id, row.created_at - LOOK_BACK)) is not None:
                return Sent(receipt=found)
        except Permanent as error:
            doubt = f"sent again without a look, it may be there twice: {error.detail}"
        except VendorError as error:
            return Sent(error=error)
    return _posted(slack, channel, row.content["text"], row.content["blocks"], doubt=doubt)


def _posted(slack: SlackClient, channel: str, text: str, blocks: list[dict[str, Any]], *, doubt: str | None = None) -> Sent:
    try:
        return Sent(receipt=slack.post(channel, text, blocks), doubt=doubt)
    except VendorError as error:
        return Sent(error=error)


def _blocks(activation: Activation) -> list[dict[str, Any]]:
    prediction = activation.prediction
    times = prediction.score / activation.base_rate if activation.base_rate else 0.0
    lines = [
        f"*{percent(prediction.score)}* likely to be won, grade *{prediction.grade}*, {times:.1f} times the average lead",
        *(f"• {escape(in_words(factor)[:LONGEST_LINE])}" for factor in prediction.factors[:TOP_FACTORS]),
    ]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": f"Hot lead: {_who(activation)}"[:LONGEST_HEADER]}},
        {
            "type": "section",
            "block_id": BLOCK_PREFIX + activation.delivery_id,
            "text": {"type": "mrkdwn", "text": "\n".join(lines)},
        },
    ]
    if link := record_link(activation):
        button = {"type": "button", "text": {"type": "plain_text", "text": "Open the record"}, "url": link}
        blocks.append({"type": "actions", "elements": [button]})
    footer = f"{prediction.model} version {prediction.model_version}, {activation.entity.source} {activation.entity.kind}"
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": f"{footer} {escape(activation.entity.id)}"}]})
    return blocks


def record_link(activation: Activation) -> str | None:
    """Where a person sees the record, if the settings say which account it is."""
    settings, entity = activation.settings, activation.entity
    if entity.source == "hubspot" and settings.hubspot_portal_id:
        number = {EntityKind.CONTACT: "0-1", EntityKind.COMPANY: "0-2", EntityKind.DEAL: "0-3"}[entity.kind]
        return f"https://app.hubspot.com/contacts/{settings.hubspot_portal_id}/record/{number}/{entity.id}"
    if entity.source == "pipedrive" and settings.pipedrive_company_url:
        page = {EntityKind.CONTACT: "person", EntityKind.COMPANY: "organization", EntityKind.DEAL: "deal"}[entity.kind]
        return f"{settings.pipedrive_company_url.rstrip('/')}/{page}/{entity.id}"
    return None


def _who(activation: Activation) -> str:
    known = activation.known.values
    name = " ".join(str(known[part]) for part in ("firstname", "lastname") if known.get(part)) or known.get("name")
    company = known.get("company") or known.get("org_name")
    who = str(name or known.get("email") or f"{activation.entity.kind} {activation.entity.id}")
    return f"{who} ({company})" if company else who


SLACK = SlackDestination()
