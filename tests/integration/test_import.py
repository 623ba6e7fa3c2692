"""A file that was taken out of a CRM becomes the past of its records; what does not fit is set aside and named."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from automation import history
from automation.imports.mapping import Mapping, read_mapping
from automation.imports.rows import read_rows
from automation.imports.run import Imported, import_rows
from automation.pipeline.context import Loop
from data.domain.entity import EntityKind, EntityRef
from data.domain.fact import Fact
from data.errors import BadInput
from data.warehouse import entities, facts
from tests.conftest import Run
from tests.support import NOON

DEALS = """Deal ID;Deal Name;Stage;Amount;Created;Contacts;Entered won
1;Big one;closedwon;1200;31.01.2025 10:00;7;15.02.2025 12:30
2;Small one;qualified;90;01.02.2025;"7; 8";
3;Without a date;open;1;;;
"""
MAPPING: dict[str, Any] = {
    "source": "hubspot", "kind": "deal", "id": "Deal ID", "created_at": "Created", "dates": "day_first",
    "timezone": "Europe/Berlin", "properties": {"Deal Name": "dealname", "Amount": "amount"},
    "links": {"contact": "Contacts"}, "history": {"Entered won": {"dealstage": "closedwon"}},
}  # fmt: skip


def imported(loop: Loop, path: Path, mapping: dict[str, Any]) -> Imported:
    columns = Mapping.model_validate(mapping)
    _, rows = read_rows(path, columns)
    return import_rows(loop, rows, columns)


def facts_of(loop: Loop, kind: EntityKind, number: str, source: str = "hubspot") -> dict[str, Fact]:
    with loop.database.read() as session:
        row = entities.find(session, EntityRef(source=source, kind=kind, id=number))
        assert row is not None
        assert row.id is not None
        return {fact.name: fact for fact in facts.of_entities(session, [row.id])[row.id]}


def everything(loop: Loop) -> list[Any]:
    with loop.database.read() as session:
        return sorted(facts.of_entities(session, range(1, 50)).items())


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_rows_become_facts_of_their_moments_and_again_change_nothing(loop: Loop, tmp_path: Path) -> None:
    path = written(tmp_path, "deals.csv", DEALS)
    done = imported(loop, path, MAPPING)
    assert done.records == 2
    (rejected,) = done.rejected
    assert (rejected.row.number, rejected.reason) == (3, "Created: empty: nothing is learned from what has no time")
    found = facts_of(loop, EntityKind.DEAL, "1")
    assert found["amount"].value == "1200"
    assert found["amount"].occurred_at == found["amount"].known_at == datetime(2025, 1, 31, 9, tzinfo=UTC)
    assert (found["dealstage"].value, found["dealstage"].occurred_at) == ("closedwon", datetime(2025, 2, 15, 11, 30, tzinfo=UTC))
    assert found["link:contact:7"].target_id is not None
    assert facts_of(loop, EntityKind.CONTACT, "7").keys() >= {"link:deal:1", "link:deal:2"}
    before = everything(loop)
    again = imported(loop, path, MAPPING)
    assert (again.records, again.facts) == (2, 0)
    assert everything(loop) == before


def test_what_was_imported_teaches(loop: Loop, tmp_path: Path) -> None:
    rows = [
        {"id": str(number), "made": f"2025-{1 + number % 6:02d}-03T10:00:00Z", "sessions": number,
         "won": "2025-07-01T00:00:00Z" if number % 3 == 0 else None}
        for number in range(1, 40)
    ]  # fmt: skip
    path = written(tmp_path, "contacts.jsonl", "\n".join(map(json.dumps, rows)))
    mapping = {
        "source": "hubspot", "kind": "contact", "id": "id", "created_at": "made",
        "properties": {"sessions": "hs_analytics_num_visits"}, "history": {"won": {"lifecyclestage": "customer"}},
    }  # fmt: skip
    done = imported(loop, path, mapping)
    assert (done.records, done.rejected) == (39, [])
    with loop.database.read() as session:
        told = history.recalled(session).filter(pl.col("name") == "sessions")
    assert len(told) == 39
    assert told["known_at"].to_list() == told["occurred_at"].to_list()


def test_lines_that_are_no_json_take_no_others_with_them(loop: Loop, tmp_path: Path) -> None:
    good = json.dumps({"id": "1", "at": "2025-01-01", "plan": "gold", "tags": ["a", "b"]})
    path = written(tmp_path, "contacts.jsonl", f'{good}\n{{"id": 2\n[1]\n{json.dumps({"id": "2", "at": "soon"})}\n')
    done = imported(loop, path, {"kind": "contact", "id": "id", "changed_at": "at"})
    assert done.records == 1
    assert [row.row.number for row in done.rejected] == [2, 3, 4]
    assert "no date that can be read" in done.rejected[2].reason
    assert facts_of(loop, EntityKind.CONTACT, "1", "generic")["tags"].value == '["a", "b"]'


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"kind": "deal", "id": "Deal ID"}, "created_at"),
        ({"kind": "house", "id": "Deal ID", "created_at": "Created"}, "kind"),
        ({"kind": "deal", "id": "Deal ID", "created_at": "Created", "timezone": "Berlin"}, "Europe/Berlin"),
        ({"kind": "deal", "id": "Deal ID", "created_at": "Created", "colour": 1}, "colour"),
        ({"kind": "deal", "created_at": "Created"}, "id"),
        ([], "dictionary"),
    ],
)
def test_a_mapping_that_does_not_fit_names_the_key(mapping: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=said):
        read_mapping(written(tmp_path, "m.yaml", json.dumps(mapping)))


def test_a_column_that_is_not_there_is_named_with_the_one_that_was_meant(loop: Loop, tmp_path: Path) -> None:
    path = written(tmp_path, "deals.csv", DEALS)
    with pytest.raises(BadInput, match=r"no column 'Deal Id'; did you mean 'Deal ID'"):
        imported(loop, path, {**MAPPING, "id": "Deal Id"})


@pytest.mark.parametrize("text", ["", "a: [", "\ttab: 1"])
def test_a_mapping_that_is_no_yaml_is_one_clear_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        read_mapping(written(tmp_path, "m.yaml", text))
    with pytest.raises(BadInput, match="no such file"):
        read_mapping(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("moment", ["1999-01-01", f"{NOON.year + 1}-01-01", "31/31/2025", "yesterday"])
def test_moments_that_cannot_be_are_set_aside(loop: Loop, tmp_path: Path, moment: str) -> None:
    path = written(tmp_path, "c.csv", f"id,at,plan\n1,{moment},gold\n2,2025-01-01,gold\n")
    done = imported(loop, path, {"kind": "contact", "id": "id", "changed_at": "at"})
    assert (done.records, len(done.rejected)) == (1, 1)
    assert done.rejected[0].reason.startswith("at: ")


def test_rows_that_are_set_aside_are_for_their_owner_s_eyes(leadloop: Run, tmp_path: Path) -> None:
    path = written(tmp_path, "people.csv", "Id,Email,Created\n1,ada@example.com,2026-01-05\n,bob@example.com,2026-01-05\n")
    wanted = "{source: hubspot, kind: contact, id: Id, created_at: Created, properties: {Email: email}}"
    mapping = written(tmp_path, "people.yaml", wanted)
    aside = written(tmp_path, "people.csv.rejected.jsonl", "of before\n")
    aside.chmod(0o644)
    status, _, said = leadloop("import", str(path), "--mapping", str(mapping))
    assert (status, said) == (1, "")
    assert [json.loads(line)["values"]["Email"] for line in aside.read_text().splitlines()] == ["bob@example.com"]
    assert aside.stat().st_mode & 0o077 == 0
