"""What was set aside: seen to the byte, replayed as it was or corrected, or discarded; never twice, and nothing of it lost."""

import base64
import io
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from rich.console import Console
from sqlalchemy import text

from automation import audit
from automation.dead_letters import replay_all
from automation.jobs import worker
from automation.pipeline.collect import collect
from automation.pipeline.context import Loop
from automation.sources.registry import SOURCES
from data.domain.event import Driver
from data.domain.stage import Stage
from data.settings import Scope
from scripts.replaying import replay_letters
from tests.support import COLD, HOT, NOON, bearer, generic

ADMIN, READ = bearer(Scope.ADMIN), bearer(Scope.READ)
# An item that does not fit, and the same as it should have been.
HUBSPOT = {
    "eventId": 1, "portalId": 1, "objectId": 7, "occurredAt": int(NOON.timestamp() * 1000), "propertyName": "jobtitle",
    "subscriptionType": "contact.propertyChange", "propertyValue": "CEO",
}  # fmt: skip
PERSON = {
    "meta": {
        "action": "change", "entity": "person", "entity_id": 7, "timestamp": NOON.isoformat(), "id": "1", "version": "2.0",
        "correlation_id": "1", "attempt": 1, "company_id": 1, "user_id": 1,
    },
    "data": {"id": 7, "name": "Ada"},
    "previous": {"name": "Eda"},
}  # fmt: skip
WRONG: dict[str, tuple[Any, Any]] = {
    "hubspot": ({**HUBSPOT, "occurredAt": "soon"}, HUBSPOT),
    "pipedrive": ({**PERSON, "meta": {**PERSON["meta"], "entity": "persons?"}}, PERSON),  # type: ignore[dict-item]
    "generic": ({**generic("ada@example.com", **HOT), "occurred_at": "soon"}, generic("ada@example.com", **HOT)),
    "leadloop": (
        {**generic("ada@example.com", **HOT), "source": "hubspot", "occurred_at": "soon"},
        {**generic("ada@example.com", **HOT), "source": "hubspot"},
    ),
}


def rows(loop: Loop, query: str) -> list[tuple[Any, ...]]:
    with loop.database.read() as session:
        return [tuple(row) for row in session.execute(text(query))]


def the_letter(api: httpx.Client, **query: str) -> dict[str, Any]:
    (letter,) = api.get("/dead-letters", params=query, headers=READ).json()
    return dict(letter)


def replay(api: httpx.Client, letter: dict[str, Any], **body: Any) -> Any:
    answer = api.post(f"/dead-letters/{letter['id']}/replay", json=body, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("source", SOURCES)
def test_an_item_is_corrected_and_goes_on(loop: Loop, api: httpx.Client, source: str) -> None:
    wrong, right = WRONG[source]
    body = json.dumps([wrong] if source != "pipedrive" else wrong).encode()
    collect(loop, source, body, Driver.WORKER)
    letter = the_letter(api, state="open", source=source)
    assert letter["stage"] == Stage.VALIDATE
    assert replay(api, letter)["replayed"] is False
    would = replay(api, letter, content=right, dry_run=True)
    assert would["replayed"] is True, would
    assert rows(loop, "SELECT count(*) FROM events") == [(0,)], "a dry run changes nothing"
    assert rows(loop, "SELECT count(*) FROM payloads") == [(1,)]
    done = replay(api, letter, content=right)
    assert (done["replayed"], [event["type"] for event in done["events"]]) == (True, ["contact.changed"])
    assert rows(loop, "SELECT state FROM dead_letters") == [("replayed",)]
    assert bytes(rows(loop, "SELECT body FROM payloads ORDER BY id")[0][0]) == body, "what came stays what it was"
    again = api.post(f"/dead-letters/{letter['id']}/replay", json={"content": right}, headers=ADMIN)
    assert again.status_code == 409
    assert rows(loop, "SELECT count(*) FROM events") == [(1,)]


def test_a_correction_that_does_not_fit_leaves_nothing_behind(loop: Loop, api: httpx.Client) -> None:
    collect(loop, "generic", b"[{}]", Driver.WORKER)
    said = replay(api, the_letter(api), content={"id": "x"})
    assert said["replayed"] is False
    assert "type" in said["detail"], "the field is named"
    assert rows(loop, "SELECT count(*) FROM payloads") == [(1,)]
    assert the_letter(api, state="open")


def test_a_payload_that_was_no_json_is_corrected_as_a_whole(loop: Loop, api: httpx.Client) -> None:
    collect(loop, "generic", b"[{", Driver.WORKER)
    done = replay(api, the_letter(api, stage="parse"), content=[generic(**HOT), generic("bo@example.com", **COLD)])
    assert len(done["events"]) == 2


def test_one_is_shown_to_the_byte(loop: Loop, api: httpx.Client) -> None:
    body = b"\xff\x00 no JSON"
    collect(loop, "generic", body, Driver.WORKER)
    shown = api.get(f"/dead-letters/{the_letter(api)['id']}", headers=READ).json()
    assert base64.b64decode(shown["payload"]["body_base64"]) == base64.b64decode(shown["content_base64"]) == body
    assert shown["can_be_corrected"] is True
    assert api.get("/dead-letters/999", headers=READ).status_code == 404


def test_one_that_is_worth_no_more_work_is_discarded_once(loop: Loop, api: httpx.Client) -> None:
    collect(loop, "generic", b"no JSON", Driver.WORKER)
    where = f"/dead-letters/{the_letter(api)['id']}"
    assert api.post(f"{where}/discard", headers=READ).status_code == 403
    assert api.post(f"{where}/discard", headers=ADMIN).status_code == 204
    assert api.post(f"{where}/discard", headers=ADMIN).status_code == 409
    assert api.post(f"{where}/replay", headers=ADMIN).status_code == 409
    assert the_letter(api, state="discarded")["content"] == "no JSON"
    assert api.get("/dead-letters?state=open", headers=READ).json() == []
    assert rows(loop, "SELECT action, result FROM audit ORDER BY id")[:2] == [("discard", "done"), ("discard", "refused")]


def test_what_was_given_up_here_cannot_be_corrected_from_outside(loop: Loop, api: httpx.Client) -> None:
    (event,) = collect(loop, "generic", json.dumps([generic(**HOT)]).encode(), Driver.WORKER).events
    with loop.database.write() as session:
        session.execute(text("UPDATE events SET state = 'dead'"))
        session.execute(
            text("INSERT INTO dead_letters (source, stage, reason, event_id, content, state, created_at) "
                 "VALUES ('generic', 'predict', 'gone', :event, :empty, 'open', :now)"),
            {"event": event.event_id, "empty": b"", "now": NOON.replace(tzinfo=None) if loop.database.is_sqlite else NOON},
        )  # fmt: skip
    letter = the_letter(api)
    refused = api.post(f"/dead-letters/{letter['id']}/replay", json={"content": {}}, headers=ADMIN)
    assert (refused.status_code, refused.json()["field"]) == (422, "content")
    assert replay(api, letter)["detail"] == "back in the inbox"
    worker.sweep_inbox(loop)
    assert rows(loop, "SELECT state FROM events") == [("done",)]


def test_a_refused_prediction_is_taken_when_it_is_corrected(loop: Loop, api: httpx.Client) -> None:
    (event,) = collect(loop, "generic", json.dumps([generic(**HOT)]).encode(), Driver.WORKER).events
    scored = api.post("/predict/events", json={"event_ids": [event.event_id]}, headers=bearer(Scope.SCORE)).json()["scored"]
    wrong = json.loads(json.dumps(scored[0]))
    wrong["predictions"][0]["model_version"] = "999"
    answer = api.post("/collect/predictions", json=[wrong], headers=bearer(Scope.PREDICTIONS)).json()
    assert answer["accepted"] == 0
    letter = the_letter(api, stage=Stage.COLLECT_PREDICTIONS)
    said = replay(api, letter)
    assert said["replayed"] is False
    assert "still refused" in said["detail"]
    assert rows(loop, "SELECT count(*) FROM dead_letters") == [(1,)], "a replay makes no letter of its own"
    assert replay(api, letter, content=scored[0])["detail"] == "its predictions are taken"
    assert rows(loop, "SELECT count(*) FROM predictions") == [(1,)]


def test_letters_are_listed_by_stage_and_source(loop: Loop, api: httpx.Client) -> None:
    collect(loop, "generic", b"no JSON", Driver.WORKER)
    collect(loop, "hubspot", b"[{}]", Driver.WORKER)
    assert [letter["source"] for letter in api.get("/dead-letters?stage=parse", headers=READ).json()] == ["generic"]
    assert [letter["stage"] for letter in api.get("/dead-letters?source=hubspot", headers=READ).json()] == ["validate"]
    assert api.get("/dead-letters?stage=nonsense", headers=READ).status_code == 422


def test_somebody_else_s_letter_stops_none_of_the_others(loop: Loop, api: httpx.Client) -> None:
    for _ in range(4):
        collect(loop, "generic", json.dumps([generic()]).encode().replace(b"contact.changed", b"nothing"), Driver.WORKER)
    with loop.database.write() as session:
        session.execute(text("UPDATE dead_letters SET stage = 'unheard of' WHERE id = 3"))
    run = replay_all(loop)
    first = next(run)
    assert (first.letter_id, first.done) == (1, False), "it does not fit, and stays"
    api.post("/dead-letters/2/discard", headers=ADMIN)
    assert [(one.letter_id, one.done) for one in run] == [(2, False), (3, False), (4, False)]
    assert [row[0] for row in rows(loop, "SELECT state FROM dead_letters ORDER BY id")] == ["open", "discarded", "open", "open"]


def test_one_whose_replay_fails_stops_none_of_the_others(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ada", "bo"):
        body = json.dumps([generic(f"{name}@example.com", **HOT)]).encode()
        collect(loop, "generic", body.replace(b"contact.changed", b"nothing"), Driver.WORKER)
    with loop.database.write() as session:  # the first payload is not what it was: what it has is of another kind
        broken = text("UPDATE dead_letters SET stage = 'collect_predictions', content = :content WHERE id = 1")
        session.execute(broken, {"content": b"no JSON"})
        for (number,) in session.execute(text("SELECT id FROM payloads")).all():
            body = json.dumps([generic(f"{number}@example.com", **HOT)]).encode()
            session.execute(text("UPDATE payloads SET body = :body WHERE id = :id"), {"body": body, "id": number})
    failed, done = replay_all(loop)
    assert (failed.done, failed.detail) == (False, "an unexpected fault: JSONDecodeError")
    assert done.done
    assert [row[0] for row in rows(loop, "SELECT state FROM dead_letters ORDER BY id")] == ["open", "replayed"]


def test_two_replays_at_once_bring_each_letter_in_once(loop: Loop) -> None:
    for number in range(12):
        collect(loop, "generic", b"[{", Driver.WORKER)
        fits = json.dumps([generic(f"{number}@example.com", **HOT)]).encode()
        with loop.database.write() as session:
            session.execute(text("UPDATE payloads SET body = :body WHERE body = :old"), {"body": fits, "old": b"[{"})
    with ThreadPoolExecutor(2) as pool:
        said = [one for run in pool.map(lambda _: list(replay_all(loop)), range(2)) for one in run]
    assert Counter(one.letter_id for one in said if one.done) == Counter(range(1, 13))
    assert rows(loop, "SELECT count(*) FROM events") == [(12,)]
    assert rows(loop, "SELECT DISTINCT state FROM dead_letters") == [("replayed",)]


def test_the_command_tells_of_each_and_of_all_in_the_end(loop: Loop) -> None:
    for body in (b"[{", b"[]", b"[{}]"):
        collect(loop, "generic", body, Driver.WORKER)
    fits = json.dumps([generic(**HOT)]).encode()
    with loop.database.write() as session:
        session.execute(text("UPDATE payloads SET body = :body WHERE body = :old"), {"body": fits, "old": b"[{"})
    said = io.StringIO()
    replay_letters(loop.settings, Console(file=said, width=200), dry_run=False)
    first, second, last = said.getvalue().splitlines()
    assert first == "1: replayed: 1 accepted, 0 known already"
    assert second.startswith("2: not replayed: still does not fit")
    assert last == "1 of 2 dead letters went through."
    assert [row.details for row in audit.listed(loop.database)] == [{"tried": 2, "replayed": 1}]
