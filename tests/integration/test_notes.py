"""What people write down teaches: notes come in as records of their own, and a version reads them, and says so."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlmodel import col, select

from automation import training
from automation.ask import ask
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Driver
from data.warehouse.predictions import PredictionRow
from ml.features import notes
from ml.features.inputs import InputKind
from ml.training.labels import HORIZON
from tests.conftest import LoopFactory
from tests.support import FakeClock, generic, newest_prediction, put_champion

MODEL = "lead_score"
LEADS = 400
WARM = ("wants a demo next week", "budget is approved", "asked for an offer for all seats")
COLD = ("has no budget this year", "a competitor is cheaper", "please do not call again")
ALIKE = 0.85  # of those who are won, and of those who are not, so many have notes that say so


def note(number: int, contact: int, body: str, at: datetime) -> dict[str, Any]:
    return {
        "id": f"note {number}", "type": "note.created", "occurred_at": at.isoformat(),
        "entity": {"kind": "note", "id": str(number)}, "properties": {"body": body, "contact_id": f"{contact}@example.com"},
    }  # fmt: skip


def post(loop: Loop, items: list[dict[str, Any]]) -> None:
    found = collect(loop, "generic", json.dumps(items).encode(), Driver.WORKER)
    assert not found.rejected


def body(random: Random, warm: bool) -> str:
    names = ("Ada", "Grace", "Edsger", "Barbara", "Niklaus")
    return f"<p>{random.choice(names)} {random.choice(WARM if warm else COLD)}, {random.randrange(90)} people</p>"


def lived_through(loop: Loop, clock: FakeClock, random: Random) -> None:
    """Leads with a note or two and nothing else that tells them apart; half of them are customers some days later."""
    winners = []
    for start in range(0, LEADS, 50):
        news = []
        for contact in range(start, start + 50):
            won = random.random() < 0.5
            texts = [body(random, won if random.random() < ALIKE else not won) for _ in range(random.choice([1, 2]))]
            news += [note(10 * contact + place, contact, text, clock.now()) for place, text in enumerate(texts)]
            news.append(generic(f"{contact}@example.com", at=clock.now(), sessions=random.randrange(5)))
            winners += [contact] * won
        post(loop, news)
        clock.move(days=1)
    clock.move(days=5)
    post(loop, [generic(f"{contact}@example.com", at=clock.now(), lifecyclestage="customer") for contact in winners])
    clock.move(seconds=(HORIZON + timedelta(days=1)).total_seconds())


@pytest.mark.slow
def test_a_version_reads_the_notes_and_says_so(make_loop: LoopFactory, clock: FakeClock, tmp_path: Path) -> None:
    loop = make_loop(model=False)
    lived_through(loop, clock, Random(1))
    made = training.train_on(MODEL, training.read_examples(loop.database, MODEL, clock.now()), now=clock.now())
    kinds = {column.name: column.kind for column in made.card.inputs}
    assert kinds[notes.TEXT] is InputKind.TEXT
    put_champion(made, tmp_path / "models")
    loop.predictor.refresh()
    warm, cold = (answered(loop, clock, number, text) for number, text in ((9_001, WARM[0]), (9_002, COLD[0])))
    assert warm.score > 0.6 > 0.4 > cold.score
    assert warm.features[notes.TEXT] == f"Ada {WARM[0]}"
    told = {factor["feature"]: factor for factor in warm.factors}
    assert told[notes.TEXT]["contribution"] > 0.5
    entity = EntityRef(source="generic", kind=EntityKind.CONTACT, id="9001@example.com")
    answer = ask(loop, MODEL, entity=entity, features=None, explain=True)
    assert answer.prediction == pytest.approx(warm.score)
    assert warm.as_of is not None
    late = warm.as_of - timedelta(seconds=1)  # before the lead was scored, and not told then
    clock.move(minutes=10)
    post(loop, [note(99, 9_001, COLD[0], late)])
    worker.sweep_inbox(loop)
    with loop.database.read() as session:
        corrected = newest_prediction(session, warm.entity_id, MODEL)
        assert corrected is not None
        assert (corrected.event_id > warm.event_id, corrected.score < warm.score) == (True, True)


def answered(loop: Loop, clock: FakeClock, contact: int, text: str) -> PredictionRow:
    """The score of a new lead, of whom a note speaks."""
    post(loop, [note(10 * contact, contact, f"<p>Ada <b>{text}</b></p>", clock.now())])
    clock.move(seconds=1)
    post(loop, [generic(f"{contact}@example.com", at=clock.now(), sessions=2)])
    worker.sweep_inbox(loop)
    clock.move(seconds=1)
    with loop.database.read() as session:
        return session.exec(select(PredictionRow).order_by(col(PredictionRow.id).desc())).first()  # type: ignore[return-value]
