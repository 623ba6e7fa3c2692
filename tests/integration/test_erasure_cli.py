"""`leadloop erase`: what it would find, what it has done, and the report, which names nobody."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from automation import audit
from automation.clients.registry import Clients
from automation.erasure.report import Report
from automation.pipeline.context import Loop
from data.db import Database
from data.domain.audit import Action
from data.warehouse.erasures import ErasureState, Origin
from ml.serving.predictor import Predictor
from tests.ada import ADA, rows, still_told, tell_all
from tests.conftest import Run
from tests.support import FakeClock, settings_for

pytestmark = pytest.mark.slow

HERS = re.compile(r"\b(ada|lovelace|byron)\b", re.IGNORECASE)


@pytest.fixture
def told(migrated: Path, trained_models: Path, tmp_path: Path) -> Iterator[Database]:
    """The command's database, in which Ada is."""
    database = Database(f"sqlite:///{migrated}")
    predictor = Predictor(trained_models, hot_threshold=0.5, hot_share=0.05)
    predictor.refresh()
    tell_all(Loop(settings_for(tmp_path), database, FakeClock(), predictor, Clients()))
    yield database
    database.dispose()


def test_a_dry_run_says_whom_it_would_be_about_and_changes_nothing(leadloop: Run, told: Database) -> None:
    before = rows(told)
    status, said, _ = leadloop("erase", " ADA@example.com", "--dry-run")
    assert status == 0
    assert "Records that would go: generic contact 1, generic note 1, hubspot contact 2, pipedrive contact 1." in said
    assert "facts.value" in said
    assert rows(told) == before


def test_whoever_is_erased_is_gone_and_the_report_names_nobody(leadloop: Run, told: Database, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    status, said, _ = leadloop("erase", ADA, "--report", str(path))
    assert (status, "Nothing is left here." in said, f"The report is in {path}" in said) == (0, True, True)
    assert still_told(told) == {}
    report = Report.model_validate_json(path.read_text("utf-8"))
    assert (report.state, report.origin, report.left) == (ErasureState.DONE, Origin.COMMAND, ())
    assert report.removed["entities"] == 5
    assert not HERS.search(path.read_text("utf-8"))
    assert not HERS.search(said)


def test_the_trail_says_that_it_was_done_and_not_to_whom(leadloop: Run, told: Database) -> None:
    assert leadloop("erase", ADA)[0] == 0
    done, asked = sorted(audit.listed(told, action=Action.ERASE), key=lambda row: row.target, reverse=True)
    assert (asked.actor, asked.target, asked.result) == (audit.command_line_actor(), "a person", "done")
    assert (done.actor, done.target, done.result) == ("asked by command", "erasure 1", "done")
    assert asked.details == {"erasure_id": 1}
    assert done.details["removed"] > 5
    assert not HERS.search(str([row.model_dump() for row in (asked, done)]))


def test_the_report_may_be_printed_and_again_finds_nobody(leadloop: Run, told: Database) -> None:
    status, said, _ = leadloop("erase", ADA, "--report")
    assert (status, json.loads(said)["state"]) == (0, "done")
    status, said, _ = leadloop("erase", ADA, "--report", "-")
    assert (status, json.loads(said)["records"], json.loads(said)["found"]) == (0, {}, {})
    assert still_told(told) == {}


@pytest.mark.parametrize("words", [("--report", "--", ADA), ("--report=-", ADA), ("--report", "-", ADA), (ADA, "--report")])
def test_the_report_is_printed_wherever_its_option_stands(leadloop: Run, words: tuple[str, ...]) -> None:
    status, said, _ = leadloop("erase", *words)
    assert (status, json.loads(said)["state"]) == (0, "done")


def test_the_report_s_option_takes_no_other_option_for_a_file(leadloop: Run) -> None:
    status, said, _ = leadloop("erase", ADA, "--report", "--dry-run")
    assert (status, "Records that would go: none." in said) == (0, True)
    assert "--report" in (told := leadloop("erase", "--help")[1])
    assert "[FILE]" in told
    assert leadloop("erase", "--report", ADA)[0] == 2, "there it is the file, and whom to erase is missing"


def test_what_is_no_address_is_one_clear_line(leadloop: Run, told: Database) -> None:
    before = rows(told)
    for dry in ((), ("--dry-run",)):
        status, _, said = leadloop("erase", "Ada", *dry)
        assert (status, len(said.strip().splitlines())) == (2, 1)
        assert "an e-mail address is wanted" in said
    after = rows(told)
    assert [row["result"] for row in after.pop("audit")] == ["refused"]
    assert after == {name: found for name, found in before.items() if name != "audit"}
