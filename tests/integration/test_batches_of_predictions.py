"""Predictions are stored a batch at a time, as if they came one after the other."""

import json
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.predictive_enrichments.registry import PREDICTIVE_ENRICHMENTS
from automation.sandbox.server import Addresses
from data.domain.entity import EntityKind, EntityRef
from data.domain.event import Driver
from data.warehouse import deliveries, entities, predictions
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.events import EventRow
from data.warehouse.identities import SameRow
from ml.version import Version, load, save
from tests.conftest import LoopFactory
from tests.support import HOT, NOON, generic
from tests.third_door import hand_in, scored

MODEL = "lead_score"


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses) -> Loop:
    """Here the loop has Slack."""
    return make_loop(addresses)


def alerts(loop: Loop) -> list[DeliveryRow]:
    with loop.database.read() as session:
        return list(deliveries.listed(session, destination="slack"))


def test_an_entry_with_predictions_of_two_models_is_taken_with_all_others(
    api: httpx.Client, loop: Loop, trained_models: Path
) -> None:
    version = load(trained_models / MODEL / "1")
    folder = loop.settings.models_dir / "churn" / "1"
    folder.mkdir(parents=True)
    save(Version(version.card.model_copy(update={"model": "churn"}), version.scorer), folder)
    entries = scored(api, generic("ada@example.com", **HOT), generic("bo@example.com", **HOT))
    entries[0]["predictions"].append({**entries[0]["predictions"][0], "model": "churn"})
    assert hand_in(api, entries)["accepted"] == 2
    with loop.database.read() as session:
        assert sorted(row.model for row in predictions.newest(session, 9)) == ["churn", MODEL, MODEL]
    assert len(alerts(loop)) == 2, "one for each of them, whichever model said it first"


def test_one_that_cannot_be_stored_takes_no_other_with_it(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    name, enrichment = next(iter(PREDICTIVE_ENRICHMENTS.items()))

    def breaks(scored: object) -> object:
        if scored.entity.id == "bo@example.com":  # type: ignore[attr-defined]
            raise ArithmeticError
        return enrichment(scored)  # type: ignore[arg-type]

    monkeypatch.setitem(PREDICTIVE_ENRICHMENTS, name, breaks)  # type: ignore[arg-type]
    people = [f"{who}@example.com" for who in ("ada", "bo", "cy")]
    collect(loop, "generic", json.dumps([generic(who, **HOT) for who in people]).encode(), Driver.WORKER)
    worker.drive(loop)
    with loop.database.read() as session:
        events = session.exec(select(EventRow).order_by(EventRow.id)).all()  # type: ignore[arg-type]
    assert [(event.state, event.attempts) for event in events] == [("done", 0), ("new", 1), ("done", 0)]
    assert len(alerts(loop)) == 2


def test_who_is_the_same_as_a_third_alerts_once(loop: Loop) -> None:
    with loop.database.write() as session:
        refs = [EntityRef(source="generic", kind=EntityKind.CONTACT, id=name) for name in "abc"]
        made = entities.ensure(session, refs, NOON)
        first, between, last = sorted(made.values())
        for one, other in ((first, between), (between, first), (between, last), (last, between)):
            session.add(SameRow(entity_id=one, same_id=other, since=NOON))
        told = [ref for ref in refs if made[ref] != first]
    collect(loop, "generic", json.dumps([generic(ref.id, **HOT) for ref in told]).encode(), Driver.WORKER)
    worker.sweep_inbox(loop)
    assert sum(row.state == "pending" for row in alerts(loop)) == 1
