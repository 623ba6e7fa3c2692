"""What people are told of models and of faults in Slack: in their words, with figures, each thing once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session

from automation.destinations.mrkdwn import LONGEST_HEADER, LONGEST_LINE, escape
from automation.doctor.findings import in_words
from automation.pipeline.context import Loop
from data.domain.delivery import Alert
from data.domain.training import TrainingState
from data.log import get_logger
from data.warehouse import notices
from data.warehouse.alarms import AlarmRow
from data.warehouse.trainings import TrainingRow
from ml.models.registry import MODELS
from ml.monitoring.drift import Drift, Shift
from ml.monitoring.live import Live
from ml.monitoring.reference import SCORE

log = get_logger("notices")

# By another name than the alerts of leads, whose footers name a record.
NOTICE_PREFIX = "leadloop:"
NO_MODEL = ""
MOST_LINES = 4  # the worst; all are in `leadloop models show`
LONGEST_REASON = 300
LONGEST_SECTION = 3000  # Slack's own limit


def tell_drift(loop: Loop, session: Session, model: str, version: str, drift: Drift, next_step: str) -> None:
    """The first time that a version sees other leads than it learned from."""
    lines = [_moved(shift) for shift in drift.drifted[:MOST_LINES]]
    if (more := len(drift.drifted) - MOST_LINES) > 0:
        lines.append(f"{more} more: leadloop models show {model}")
    said = f"Its percentages are made for leads as they were, so take them with care. {next_step}"
    _tell(loop, session, model, f"{model}:{version}:drift", f"{_title(model)}: leads are not what they were", [*lines, said],
          f"{model} version {version}, {drift.rows:,} leads")  # fmt: skip


def tell_drop(loop: Loop, session: Session, model: str, live: Live, next_step: str) -> None:
    """The first time that a version's answers come true less often than promised."""
    rate = "" if live.rate is None or live.promised_rate is None else f"Won: {live.promised_rate:.1%} then, {live.rate:.1%} now."
    lines = [*(reason[0].upper() + reason[1:] for reason in live.reasons), rate, next_step]
    _tell(loop, session, model, f"{model}:{live.version}:drop", f"{_title(model)}: less right than promised", lines,
          f"{model} version {live.version}, {live.rows:,} leads whose end is known")  # fmt: skip


def tell_training(loop: Loop, session: Session, row: TrainingRow, summary: str) -> None:
    """What became of a training: old against new."""
    title, who = _title(row.model), f"version {row.champion}" if row.champion else "the version before"
    lines = [f"Why: {row.said}"]
    if row.state == TrainingState.FAILED:
        header = f"{title} could not be trained again"
        lines += [f"What went wrong: {row.error}", "The version that answers goes on answering."]
    else:
        lines += [_old_new(name, *row.figures[name]) for name in ("auc", "log_loss", "ece") if name in row.figures]
        if row.state == TrainingState.PROMOTED:
            header = f"{title} was trained again: version {row.version} answers now"
        else:
            header = f"{title} was trained again: {who} stays"
            lines.append(f"The new version {row.version} is no better: {summary}")
    _tell(loop, session, row.model, f"training:{row.id}", header, lines, f"{row.model}, {row.examples:,} leads whose end is known")


def tell_fault(loop: Loop, session: Session, row: AlarmRow, remedy: str) -> None:
    """A fault has begun. Each time that it begins anew is told anew."""
    lines = [row.said, f"What to do: {remedy}" if remedy else ""]
    _tell(
        loop,
        session,
        NO_MODEL,
        f"{_fault_key(row)}:begun",
        f"Alarm: {row.name}",
        lines,
        f"{_since(row)}. When it is over you are told",
    )


def tell_over(loop: Loop, session: Session, row: AlarmRow, now: datetime) -> None:
    """A fault of which people were told is there no more."""
    lines = [f"It lasted {in_words(now - row.began_at)}. The last that was seen of it: {row.said}"]
    _tell(loop, session, NO_MODEL, f"{_fault_key(row)}:over", f"Over: {row.name}", lines, _since(row))


def _fault_key(row: AlarmRow) -> str:
    return f"alarm:{row.name}:{row.began_at:%Y%m%dT%H%M%S}"


def _since(row: AlarmRow) -> str:
    return f"Since {row.began_at:%Y-%m-%d %H:%M} UTC"


def _tell(loop: Loop, session: Session, model: str, key: str, header: str, lines: Sequence[str], footer: str) -> None:
    """Puts it where the worker takes it to Slack; without Slack it is in the log alone."""
    if loop.clients.slack is None:
        log.warning("notices.notice.not_sent", model=model, key=key, header=header, lines=[line for line in lines if line])
        return
    content = Alert(
        channel=loop.settings.slack_channel,
        block_id=NOTICE_PREFIX + key,
        text=escape(header),
        blocks=_blocks(NOTICE_PREFIX + key, header, lines, footer),
    )
    if notices.add_new(session, key, model, content.model_dump(mode="json"), loop.clock.now()):
        log.info("notices.notice.stored", model=model, key=key)


def _blocks(block_id: str, header: str, lines: Sequence[str], footer: str) -> list[dict[str, Any]]:
    text = ""
    for line in filter(None, lines):
        if len(text) + len(shown := f"• {escape(line[:LONGEST_REASON])}\n") <= LONGEST_SECTION:
            text += shown
    return [
        {"type": "header", "text": {"type": "plain_text", "text": header[:LONGEST_HEADER]}},
        {"type": "section", "block_id": block_id, "text": {"type": "mrkdwn", "text": text}},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": escape(footer)}]},
    ]


def _moved(shift: Shift) -> str:
    name = "Its scores" if shift.name == SCORE else shift.name[:LONGEST_LINE]
    most = shift.most[:LONGEST_LINE]
    return f"{name}: “{most}” was {shift.before:.0%} of the leads, is {shift.now:.0%}"


def _old_new(name: str, old: float, new: float) -> str:
    if name == "auc":
        return f"Of 100 pairs of a won and a lost lead in the right order: {100 * old:.1f} → {100 * new:.1f}"
    if name == "ece":
        return f"Percentage points by which its percentages are off: {100 * old:.1f} → {100 * new:.1f}"
    return f"Error (log-loss, less is better): {old:.4f} → {new:.4f}"


def _title(model: str) -> str:
    return MODELS[model].title if model in MODELS else model
