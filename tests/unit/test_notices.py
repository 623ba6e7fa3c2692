"""What people are told of a model: their own words, old against new, within Slack's limits, and waking nobody by a name."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from sqlmodel import Session, select

from automation import notices
from automation.clients.registry import Clients
from automation.clients.slack import SlackClient
from automation.pipeline.context import Loop
from data.db import Database
from data.domain.training import TrainingState
from data.migrations import upgrade
from data.warehouse.notices import NoticeRow
from data.warehouse.trainings import TrainingRow
from ml.learners.base import probability
from ml.monitoring.drift import Drift, Shift
from ml.monitoring.live import judge
from tests.support import NOON, FakeClock, settings_for

FIGURES = {"auc": (0.78, 0.814), "log_loss": (0.312, 0.2981), "ece": (0.02, 0.012)}
EVIL = "<!channel> & co"


@pytest.fixture
def loop(tmp_path: Any) -> Any:
    """As much of a loop as a notice asks for, with a Slack that nobody talks to."""
    settings = settings_for(tmp_path, slack_channel="#sales")
    database = Database(settings.database_url)
    upgrade(database)
    slack = SlackClient("token", "http://127.0.0.1:9/api/")
    yield cast(Loop, SimpleNamespace(settings=settings, database=database, clock=FakeClock(), clients=Clients(slack=slack)))
    database.dispose()


def told(loop: Loop) -> list[NoticeRow]:
    with loop.database.read() as session:
        return list(session.exec(select(NoticeRow).order_by(NoticeRow.id)))  # type: ignore[arg-type]


def words(row: NoticeRow) -> str:
    return "\n".join(str(block.get("text", {}).get("text", "")) for block in row.content["blocks"])


def shift(name: str = "channel", most: str = "paid") -> Shift:
    return Shift(name=name, psi=0.5, limit=0.2, drifted=True, most=most, before=0.1, now=0.34)


def training_row(session: Session, state: TrainingState, **parts: Any) -> TrainingRow:
    fields: dict[str, Any] = {"version": "4", "champion": "3", "figures": FIGURES} | parts
    row = TrainingRow(model="lead_score", why="grown", said="there is much more to learn from", state=state.value, examples=1_200,
                      started_at=NOON, ended_at=NOON + timedelta(minutes=1), **fields)  # fmt: skip
    session.add(row)
    session.flush()
    return row


def test_drift_is_told_by_its_worst_columns_and_once_for_a_version(loop: Loop) -> None:
    found = Drift(rows=812, score=shift("score", "above 0.4"), inputs=tuple(shift(f"column{n}") for n in range(6)))
    for version in ("3", "3", "4"):
        with loop.database.write() as session:
            notices.tell_drift(loop, session, "lead_score", version, found, "It is trained again now.")
    rows = told(loop)
    assert [row.key for row in rows] == ["lead_score:3:drift", "lead_score:4:drift"]
    text = words(rows[0])
    assert "Lead score: leads are not what they were" in text
    assert "• Its scores: “above 0.4” was 10% of the leads, is 34%" in text
    assert "• column0: “paid” was 10% of the leads, is 34%" in text
    assert "3 more: leadloop models show lead_score" in text
    assert "It is trained again now." in text


def test_a_drop_is_told_with_what_was_promised(loop: Loop) -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(-1.5, 1.2, 2_000)
    labels = (generator.random(2_000) < probability(truth)).astype(np.int64)
    live = judge("3", labels, probability(generator.permutation(truth)), (labels, truth))
    with loop.database.write() as session:
        notices.tell_drop(loop, session, "lead_score", live, "It is trained again now.")
    text = words(told(loop)[0])
    assert "Of 100 pairs it puts 5" in text
    assert "(promised 7" in text
    assert f"Won: {labels.mean():.1%} then, {labels.mean():.1%} now." in text


NEW = ("version 4 answers now", "right order: 78.0 → 81.4", "better): 0.3120 → 0.2981", "off: 2.0 → 1.2")
OLD = ("trained again: version 3 stays", "The new version 4 is no better: AUC worse")
NONE = ("could not be trained again", "What went wrong: the disk is full", "goes on answering")
NOTHING = {"version": None, "figures": {}, "error": "the disk is full"}


@pytest.mark.parametrize(
    ("state", "parts", "said"),
    [
        (TrainingState.PROMOTED, {}, NEW),
        (TrainingState.CHALLENGER, {}, OLD),
        (TrainingState.FAILED, NOTHING, NONE),
        (TrainingState.PROMOTED, {"champion": None, "figures": {}}, NEW[:1]),
    ],
    ids=["promoted", "challenger", "failed", "the first"],
)
def test_what_became_of_a_training_is_told_old_against_new(
    loop: Loop, state: TrainingState, parts: dict[str, Any], said: tuple[str, ...]
) -> None:
    with loop.database.write() as session:
        notices.tell_training(loop, session, training_row(session, state, **parts), "AUC worse")
    text = words(told(loop)[0])
    assert "Why: there is much more to learn from" in text
    for part in said:
        assert part in text, text


def test_names_from_outside_wake_nobody_and_fit_into_slack(loop: Loop) -> None:
    drift = Drift(rows=812, inputs=tuple(shift(EVIL + "&" * 3_000, "<@U1>" * 2_000) for _ in range(4)))
    with loop.database.write() as session:
        notices.tell_drift(loop, session, "lead_score", "3", drift, EVIL)
        notices.tell_training(loop, session, training_row(session, TrainingState.FAILED, error="&" * 9_000), "")
    for row in told(loop):
        header, section, footer = row.content["blocks"]
        assert len(header["text"]["text"]) <= 150
        assert 0 < len(section["text"]["text"]) <= 3_000
        assert not any(mark in section["text"]["text"] + footer["elements"][0]["text"] for mark in ("<!", "<@"))


def test_without_slack_it_is_in_the_log_alone(loop: Loop) -> None:
    cast(Any, loop).clients = Clients()
    with loop.database.write() as session:
        notices.tell_drift(loop, session, "lead_score", "3", Drift(rows=812, inputs=(shift(),)), "")
    assert told(loop) == []
