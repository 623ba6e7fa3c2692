"""The third door: what is refused and kept, and what is taken."""

import json
import shutil
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from automation import models
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from data.domain.event import Driver
from data.domain.traffic import Mode
from data.settings import Scope
from ml import copies
from ml.version import CHALLENGER, CHAMPION, write_atomically
from tests.support import HOT, NOON, FakeClock, bearer, generic, put_variation
from tests.third_door import READ, fields, hand_in, letters, scored
from tests.unit.test_prediction_checks import fewer_digits

# -- what is refused --


def test_a_prediction_that_fails_a_check_is_kept_and_its_event_is_scored_all_the_same(
    api: httpx.Client, loop: Loop, clock: FakeClock
) -> None:
    good, bad = scored(api, generic("good@example.com", **HOT), generic("bad@example.com", **HOT))
    bad["predictions"][0]["score"] = 0.123
    bad["predictions"][0]["confidence"] = 0.877
    answer = hand_in(api, [good, bad])
    assert answer["accepted"] == 1
    (refused,) = answer["rejected"]
    assert (refused["index"], refused["status"], refused["field"]) == (1, 422, "predictions.0.label")
    (letter,) = letters(api)
    assert (letter["stage"], letter["source"], letter["event_id"], letter["position"]) == (
        "collect_predictions", "generic", bad["event"]["event_id"], 1,
    )  # fmt: skip
    assert json.loads(letter["content"]) == bad
    assert letter["reason"] == refused["detail"]
    clock.move(seconds=16)
    worker.sweep_inbox(loop)
    with loop.database.read() as session:
        assert session.execute(text("SELECT count(*) FROM predictions")).scalar_one() == 2
        assert set(session.execute(text("SELECT state FROM events")).scalars()) == {"done"}


# What of a good prediction is changed, with what it is refused, and the field that is named.
FAULTS: tuple[tuple[dict[str, Any], int, str], ...] = (
    ({"model": "nobody"}, 404, "model_version"),
    ({"model_version": "999"}, 404, "model_version"),
    ({"model": 7}, 422, "model"),
    ({"entity": None}, 422, "entity"),
    ({"entity": {"source": "generic", "kind": "contact", "id": "eve@example.com"}}, 422, "entity"),
    ({"score": 2}, 422, "score"),
    ({"threshold": -1}, 422, "threshold"),
    ({"confidence": 0.6}, 422, "confidence"),
    ({"label": "low"}, 422, "label"),
    ({"grade": "E"}, 422, "grade"),
    ({"base_value": 3.0}, 422, "factors"),
    ({"factors": []}, 422, "factors"),
    ({"as_of": "2026-03-02T12:30:00Z"}, 422, "as_of"),
    ({"as_of": "2026-03-02T11:30:00Z"}, 422, "as_of"),
    ({"features": {"sessions": "many"}}, 422, "features.sessions"),
    ({"features": {"shoe_size": 43}}, 422, "features"),
)


def test_each_fault_names_its_field_and_is_kept(api: httpx.Client) -> None:
    entries = scored(api, *(generic(f"{number}@example.com", **HOT) for number in range(len(FAULTS) + 1)))
    for entry, (change, _, _) in zip(entries, FAULTS, strict=False):
        entry["event"].pop("entity")
        entry["predictions"][0] |= change
    answer = hand_in(api, entries)
    assert answer["accepted"] == 1, "the last one, which is good"
    for refused, (change, status, field) in zip(answer["rejected"], FAULTS, strict=True):
        assert (refused["status"], refused["field"]) == (status, f"predictions.0.{field}"), change
        assert refused["field"] in refused["detail"]
    kept = {letter["position"]: json.loads(letter["content"]) for letter in letters(api)}
    assert kept == dict(enumerate(entries[:-1]))


def test_what_is_no_entry_is_kept_too(api: httpx.Client) -> None:
    entries: list[Any] = [3, None, "seven", [], {}, {"event": {"event_id": -1}}, {"event": {"event_id": True}, "predictions": [{}]}]
    assert {refused["status"] for refused in hand_in(api, entries)["rejected"]} == {422}
    for letter in letters(api):
        assert (letter["source"], letter["event_id"]) == ("predictions", None)
        assert json.loads(letter["content"]) == entries[letter["position"]]


def test_an_entry_for_no_event_is_kept_without_one(api: httpx.Client) -> None:
    (entry,) = scored(api, generic(**HOT))
    entry["event"]["event_id"] = 99_999
    (refused,) = hand_in(api, [entry])["rejected"]
    assert (refused["status"], refused["field"]) == (404, "event.event_id")
    assert letters(api)[0]["event_id"] is None


def test_characters_that_no_database_takes_are_kept_as_ascii(api: httpx.Client) -> None:
    (entry,) = scored(api, generic(**HOT))
    entry["predictions"][0]["model_version"] = "1\x00\ud800"
    body = json.dumps([entry]).encode("ascii")
    answer = api.post(
        "/collect/predictions", content=body, headers={**bearer(Scope.PREDICTIONS), "content-type": "application/json"}
    )
    assert answer.json()["rejected"][0]["status"] == 422
    assert "\\u0000\\ud800" in letters(api)[0]["content"]


def test_what_the_worker_makes_is_given_back_with_its_event_and_leaves_no_letter_here(loop: Loop, clock: FakeClock) -> None:
    """The same fault, made by ourselves: the event is tried again, and is a dead letter of its own in the end."""
    collect(loop, "generic", json.dumps([generic(**HOT)]).encode(), Driver.WORKER)
    card = loop.predictor.card
    loop.predictor.card = lambda *key: card(*key).model_copy(update={"base_rate": 0.999})  # type: ignore[method-assign]
    worker.sweep_inbox(loop)
    with loop.database.read() as session:
        assert session.execute(text("SELECT count(*) FROM dead_letters")).scalar_one() == 0
        (row,) = session.execute(text("SELECT state, attempts, error FROM events")).all()
        assert (row.state, row.attempts) == ("new", 1)
        assert "predictions.0.grade" in row.error


# -- what is taken --


def test_a_prediction_is_taken_however_its_numbers_are_written(api: httpx.Client, loop: Loop) -> None:
    entries = scored(api, *(generic(f"{number}@example.com", **{**HOT, "page_views": number}) for number in range(30)))
    assert hand_in(api, fewer_digits(entries))["rejected"] == []
    assert len(fields(loop)) == 30


def test_a_challenger_s_predictions_are_taken(api: httpx.Client, loop: Loop, trained_models: Path) -> None:
    folder = loop.settings.models_dir
    put_variation(trained_models / "lead_score" / "1", folder / "lead_score" / "2", trees=50)
    copies.point(folder, "lead_score", CHALLENGER, "2")
    models.set_traffic(loop, "lead_score", Mode.LIVE, 0.5)
    entries = scored(api, *(generic(f"{number}@example.com", **HOT) for number in range(20)))
    assert {entry["predictions"][0]["variant"] for entry in entries} == {"champion", "challenger"}
    assert hand_in(api, fewer_digits(entries))["rejected"] == []


def test_a_version_that_was_replaced_meanwhile_is_known_as_long_as_its_copy_is(
    api: httpx.Client, loop: Loop, trained_models: Path
) -> None:
    first, second = scored(api, generic("a@example.com", **HOT), generic("b@example.com", **HOT))
    folder = loop.settings.models_dir / "lead_score"
    put_variation(trained_models / "lead_score" / "1", folder / "2", trees=50)
    write_atomically(folder / CHAMPION, "2")
    assert loop.predictor.refresh() == ["lead_score"]
    assert hand_in(api, [first])["accepted"] == 1
    shutil.rmtree(folder / "1")
    (refused,) = hand_in(api, [second])["rejected"]
    assert (refused["status"], refused["field"]) == (404, "predictions.0.model_version")


def test_what_is_too_old_is_refused_unless_it_is_a_repeat(api: httpx.Client, loop: Loop, clock: FakeClock) -> None:
    first, second = scored(api, generic("a@example.com", **HOT), generic("b@example.com", **HOT))
    assert hand_in(api, [first])["accepted"] == 1
    clock.move(hours=loop.settings.prediction_max_age_hours, seconds=1)
    answer = hand_in(api, [first, second])
    assert answer["accepted"] == 1, "the first changes nothing"
    assert answer["rejected"][0]["field"] == "predictions.0.as_of"
    assert len(fields(loop)) == 1


def test_an_event_of_a_clock_that_runs_ahead_can_be_scored(api: httpx.Client) -> None:
    (entry,) = scored(api, generic(at=NOON.replace(hour=20), **HOT))
    assert hand_in(api, [entry])["rejected"] == []


def test_a_model_says_what_its_predictions_look_like(api: httpx.Client) -> None:
    schema = api.get("/models/lead_score", headers=READ).json()["prediction_schema"]
    assert schema["name"] == "probability"
    assert {"score", "label", "grade"} <= set(schema["shape"]["required"])
    assert [check["status"] for check in schema["checks"] if check["name"] in {"version", "identity"}] == [404, 422]
