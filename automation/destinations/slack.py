"""Hot leads in Slack: who, how likely, and why, with a link to the record. Once, when the lead turns hot."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlmodel import Session

from automation.clients.registry import Clients
from automation.clients.slack import MESSAGES, SlackClient, limit_of
from automation.destinations import digest, endings
from automation.destinations.base import Activation, Limit, Sent
from automation.destinations.digest import BLOCK_PREFIX
from automation.destinations.mrkdwn import LONGEST_HEADER, LONGEST_LINE, escape
from data.domain.delivery import Alert, DeliveryKind, DeliveryState, Ending
from data.domain.entity import EntityKind
from data.domain.prediction import Label, percent
from data.errors import NotNow, Permanent, VendorError
from data.settings import Settings
from data.warehouse import deliveries
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.leases import MOST_ALERTS_AT_ONCE
from ml.sentiment.scorer import Mood
from ml.serving.explain import in_words

TOP_FACTORS = 3
LONGEST_NAME = 500
# Other clocks differ from ours by seconds; a message is looked for from a little before its delivery was made.
LOOK_BACK = timedelta(minutes=2)
MESSAGE = "message"  # in the content of an ending from when it is prepared until it is sent
ALERT_SECONDS = 5.0  # after this it is looked again whether an alert has arrived


@dataclass(frozen=True)
class SlackDestination:
    name: str = "slack"
    sweeps: int = 1
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

    def most_at_once(self, clients: Clients) -> int:
        return MOST_ALERTS_AT_ONCE

    def prepare(self, session: Session, rows: Sequence[DeliveryRow]) -> dict[str, Sent]:
        """The messages of endings, out of all alerts that went out as one with theirs."""
        found = {row.id: _prepared(session, row) for row in rows if row.kind == DeliveryKind.ENDING}
        return {number: sent for number, sent in found.items() if sent is not None}

    def batches(self, clients: Clients, rows: Sequence[DeliveryRow]) -> list[Sequence[DeliveryRow]]:
        """Many that wait for one channel become a digest. All that may have been posted before are looked for at once."""
        by_channel: dict[tuple[str, bool], list[DeliveryRow]] = {}
        for row in rows:
            if row.kind == DeliveryKind.ALERT:
                by_channel.setdefault((row.content["channel"], row.lost_leases > 0), []).append(row)
        crowds = [crowd for (_, doubtful), crowd in by_channel.items() if doubtful or len(crowd) >= digest.FEWEST]
        together = {row.id for crowd in crowds for row in crowd}
        return [*([row] for row in rows if row.id not in together), *crowds]

    def send(self, clients: Clients, rows: Sequence[DeliveryRow]) -> dict[str, Sent]:
        assert clients.slack is not None
        if rows[0].kind == DeliveryKind.ENDING:
            return {rows[0].id: _update(clients.slack, rows[0])}
        withdrawn = {row.content["block_id"] for row in rows if row.withdrawn}
        return {row.id: sent for row, sent in zip(rows, post(clients.slack, rows, but=withdrawn), strict=True)}


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


def post(slack: SlackClient, rows: Sequence[Message], *, but: Collection[str] = ()) -> list[Sent]:
    """Posts messages of one channel, several as one digest, but for those that an earlier try posted unheard.

    `but`: blocks that are looked for, and not posted any more.
    """
    unseen, found = None, {}
    channel = rows[0].content["channel"]
    if doubtful := [row for row in rows if row.lost_leases]:
        since = min(row.created_at for row in doubtful) - LOOK_BACK
        try:
            found = slack.find(channel, [row.content["block_id"] for row in doubtful], since)
        except Permanent as error:
            unseen = error.detail
        except VendorError as error:
            return [Sent(error=error)] * len(rows)
    left = [row.content for row in rows if row.content["block_id"] not in {*found, *but}]
    doubt = f"sent again without a look, it may be there twice: {unseen}" if unseen else None
    posted = _posted(slack, channel, left, doubt) if left else Sent()
    ends = {block_id: Sent(withdrawn=True, doubt=unseen and f"not looked for, it may be there: {unseen}") for block_id in but}
    ends |= {block_id: Sent(receipt=ts) for block_id, ts in found.items()}
    return [ends.get(row.content["block_id"], posted) for row in rows]


def _prepared(session: Session, row: DeliveryRow) -> Sent | None:
    alert = deliveries.get(session, row.content["alert_id"])
    if alert is None or alert.state in {DeliveryState.DEAD, DeliveryState.SUPERSEDED}:
        return Sent(doubt="its alert never went out")
    if alert.state != DeliveryState.CONFIRMED:
        return Sent(error=NotNow("its alert is still on its way", retry_after_seconds=ALERT_SECONDS))
    if alert.receipt is None:
        return Sent(doubt="whoever sent its alert did not say which message it is")
    alerts = deliveries.of_message(session, alert.destination, alert.receipt)
    said = {each.prediction_id: Ending.model_validate(each.content) for each in _endings(session, alerts)}
    ends = {number: end for number, end in said.items() if not end.taken_back}
    known = {each.content["block_id"]: ends[each.prediction_id] for each in alerts if each.prediction_id in ends}
    text, blocks = endings.message_of(
        [each.content for each in alerts], {block: (end.result, end.ended_at) for block, end in known.items()}
    )
    session.expunge(row)  # what is put into it from here on is sent and not stored: it tells of others too, who may be erased
    row.content = {**row.content, MESSAGE: {"ts": alert.receipt, "text": text, "blocks": blocks}}
    return None


def _endings(session: Session, alerts: Sequence[DeliveryRow]) -> list[DeliveryRow]:
    return deliveries.endings_of(session, [alert.prediction_id for alert in alerts], SLACK.name)


def _update(slack: SlackClient, row: DeliveryRow) -> Sent:
    message = row.content[MESSAGE]
    try:
        return Sent(receipt=slack.update(row.content["channel"], message["ts"], message["text"], message["blocks"]))
    except VendorError as error:
        return Sent(error=error)


def take_back(slack: SlackClient, channel: str, block_id: str, since: datetime, ts: str | None) -> None:
    """Deletes an alert: the message, or its part of a digest. One that is not found was never posted, or is gone.

    Raises: Retryable or Permanent.
    """
    try:
        found = slack.message(channel, block_id, since, ts=ts)
    except Permanent:
        if ts is None:
            raise
        slack.delete(channel, ts)  # what can't be read may still be deleted; of a digest, with what else it told
        return
    if found is None:
        return
    if (rest := digest.without(found["blocks"], block_id)) is None:
        slack.delete(channel, str(found["ts"]))
    else:
        slack.update(channel, str(found["ts"]), *rest)


def _posted(slack: SlackClient, channel: str, contents: Sequence[dict[str, Any]], doubt: str | None) -> Sent:
    text, blocks = digest.digest(contents) if len(contents) > 1 else (contents[0]["text"], contents[0]["blocks"])
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
        *_last_note(activation),
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


def _last_note(activation: Activation) -> list[str]:
    """How the last note or e-mail sounds, where it does in any way: a rep calls otherwise when it was a complaint."""
    newest = activation.derived.get("sentiment", {}).get("newest", {})
    if newest.get("mood") not in (Mood.POSITIVE, Mood.NEGATIVE):
        return []
    days = (activation.now - datetime.fromisoformat(newest["at"])).days
    when = "today" if days < 1 else "yesterday" if days == 1 else f"{days} days ago"
    return [f"• last {newest['kind']} ({when}) sounds {newest['mood']}"]


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
