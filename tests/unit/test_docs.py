"""The documents say what the code does: every setting, command, source and workflow is in its place."""

import ast
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.callers import ASKS_PER_SECOND
from api.guard import MOST_HEADER_BYTES, MOST_HEADERS, MOST_QUERY_BYTES
from api.middleware import BODY_SECONDS
from api.predictive_collector.endpoints import MOST_ENTRIES
from api.server import HEAD_SECONDS, MOST_CONNECTIONS
from api.sources.registry import AUTHENTICATORS
from automation import monitoring
from automation.pipeline.letters import MOST_LETTERS
from automation.sandbox.habits import TABLE
from automation.sources import ours
from automation.sources.registry import SOURCES
from data.domain.audit import Action
from data.domain.prediction import GRADES
from data.nesting import DEEPEST
from data.settings import ROOT, Scope, Settings
from ml.features.inputs import Input, InputKind
from ml.features.sets import SETS
from ml.features.words import MISSING_QUANTITIES, MISSING_TRUTHS, MISSING_WORDS
from ml.learners.registry import LEARNERS
from ml.models.prediction_checks import Given
from ml.models.prediction_schema import PROBABILITY
from ml.monitoring import drift, live
from ml.monitoring.reference import SMALLEST_SHARE
from ml.monitoring.when import Limits, Why
from ml.preparation import categorical, derived, numeric
from ml.training import calibrate, choose, gate, ladder, segments, split
from ml.training.conclusion import FEWEST_TO_TRUST
from ml.training.contest import FEWEST_UNSEEN
from ml.training.labels import HORIZON, MOST_MOMENTS
from ml.training.split import FEWEST_FOR_HOLDOUT
from ml.training.verdict import FEWEST_OF_EACH
from ml.version import Card
from scripts import events_page, predictions_page
from scripts.cli import app
from scripts.models import models_app
from tests.support import NOON


def test_the_events_page_is_made_of_the_tables() -> None:
    remedy = "run python -m scripts.events_page"
    assert events_page.PAGE.read_text() == events_page.page(), remedy
    assert events_page.SCHEMA.read_text() == events_page.schema(), remedy


def test_the_predictions_page_is_made_of_the_tables() -> None:
    remedy = "run python -m scripts.predictions_page"
    assert predictions_page.PAGE.read_text() == predictions_page.page(), remedy


def test_the_example_of_a_prediction_is_one() -> None:
    (example,) = json.loads(predictions_page.INTRO.split("```json\n")[1].split("```")[0])
    (raw,) = example["predictions"]
    prediction = PROBABILITY.read(raw)
    card = Card.model_construct(base_rate=0.1, inputs=(Input(name="sessions", kind=InputKind.NUMBER),))
    moments = {"happened_at": NOON, "now": NOON, "max_age": timedelta(hours=1)}
    assert prediction.entity is not None
    assert PROBABILITY.fault(Given(prediction, card, prediction.entity, **moments)) is None


PAGES = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "automation" / "workflows" / "README.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """A page's headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_the_page_about_privacy_says_for_how_long_what_is_kept() -> None:
    text = (ROOT / "docs" / "privacy.md").read_text().split("## For how long")[1]
    assert re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE) == [
        name.upper() for name in Settings.model_fields if name.startswith("retain_")
    ]


def section(title: str) -> list[str]:
    text = (ROOT / "README.md").read_text()
    return [line for line in text.split(f"## {title}\n")[1].split("\n## ")[0].splitlines() if line.strip()]


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    named = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))
    assert named == {name.upper() for name in Settings.model_fields}


def test_documented_defaults_are_the_code_s() -> None:
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| `?([^|`]*)`? \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE)
    for name, default in rows:
        value = Settings.model_fields[name.lower()].default
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert float(default) == value, name


def test_every_scope_deed_and_limit_is_in_the_page_about_security() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    scopes = text.split("## Scopes")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([a-z]+)` \|", scopes, re.MULTILINE) == list(Scope)
    deeds = text.split("## The audit trail")[1].split("\n## ")[0]
    assert {word for row in re.findall(r"^\| (`.*?`) \|", deeds, re.MULTILINE) for word in re.findall("[a-z_]+", row)} == set(
        Action
    )
    for said in (
        f"| {BODY_SECONDS:g} s from its first byte", f"| {DEEPEST} levels", f"| {MOST_LETTERS:,} dead letters",
        f"| {MOST_HEADER_BYTES // 1024} KiB, {MOST_HEADERS} headers,", f"a query of {MOST_QUERY_BYTES // 1024} KiB,",
        f"{HEAD_SECONDS:g} s | 431", f"| {ASKS_PER_SECOND:g} a second in all", f"| connections | {MOST_CONNECTIONS} |",
        f"in one call | {MOST_ENTRIES:,} |",
    ):  # fmt: skip
        assert said in text, said


def test_every_word_for_a_missing_value_is_documented() -> None:
    rows = re.findall(r"^\| (every column|booleans|numbers).* \|(.*)\|$", (ROOT / "docs" / "tables.md").read_text(), re.MULTILINE)
    words = [{word.lower() for word in re.findall(r"`([^`]+)`", cells)} for _, cells in rows]
    assert words == [set(MISSING_WORDS - {""}), set(MISSING_TRUTHS - MISSING_WORDS), set(MISSING_QUANTITIES - MISSING_TRUTHS)]


def test_every_kind_of_column_is_documented() -> None:
    text = (ROOT / "docs" / "tables.md").read_text()
    assert {*re.findall(r"^\| ([a-z]+) \|", text, re.MULTILINE)} >= set(InputKind)


def test_the_example_names_settings_only() -> None:
    named = re.findall(r"^#? ?LEADLOOP_([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert named
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_no_secret_has_a_default() -> None:
    for name, field in Settings.model_fields.items():
        if "Secret" in str(field.annotation):
            assert field.default.get_secret_value() == "", name


def test_every_source_can_both_authenticate_and_parse() -> None:
    assert AUTHENTICATORS.keys() | {ours.NAME} == SOURCES.keys()


def test_adding_a_source_takes_eight_lines_or_fewer_to_explain() -> None:
    lines = section("Add a source")
    assert 0 < len(lines) <= 8
    assert "automation/sources/" in " ".join(lines)


@pytest.mark.parametrize("command", [command.name or command.callback.__name__ for command in app.registered_commands])  # type: ignore[union-attr]
def test_every_command_says_what_it_does(command: str) -> None:
    found = next(c for c in app.registered_commands if (c.name or c.callback.__name__) == command)  # type: ignore[union-attr]
    assert found.callback is not None
    assert found.callback.__doc__


@pytest.mark.parametrize("command", models_app.registered_commands, ids=lambda command: command.name)
def test_every_command_of_the_registry_says_what_it_does_and_is_in_the_document(command: Any) -> None:
    assert command.callback.__doc__
    assert f"leadloop models {command.name}" in (ROOT / "docs" / "models.md").read_text()


def test_the_ladder_is_documented_as_it_is() -> None:
    text = (ROOT / "docs" / "models.md").read_text().split("## How a model is made")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([a-z_]+) \| [^|]+ \| ([0-9,]+) \|", text, re.MULTILINE)
    assert dict(rows) == {
        **{name: f"{learner.fewest_rows:,}" for name, learner in LEARNERS.items()}, ladder.STACK: f"{ladder.FEWEST_FOR_STACK:,}"
    }  # fmt: skip
    assert [name for name, _ in rows] == [*LEARNERS, ladder.STACK]
    for said in (
        f"fewer than {split.FEWEST_FOR_HOLDOUT} rows", f"and {split.FEWEST_FOR_TIME:,} rows each part",
        f"from {split.MANY_ROWS:,} rows on", f"({numeric.CLIPPED_SHARE:.1%} at each end)".replace("%", " %"),
        f"fewer than {categorical.RAREST_LEVEL} rows,", f"more than {categorical.MANY_LEVELS} levels",
        f"up to {derived.TOPICS} topics", f"from {calibrate.FEWEST_FOR_ISOTONIC:,} rows on a curve",
    ):  # fmt: skip
        assert said in text, said
    assert (split.HOLDOUT_SHARE, split.FOLDS, split.MOST_REPEATS, ladder.MOST_MEMBERS) == (0.2, 5, 10, 4)
    assert (choose.LEAST_GAIN, choose.ERRORS, choose.ERRORS_IF_STOPPED, choose.ERRORS_IF_TUNED) == (0.005, 1.5, 2.5, 4.0)


def test_the_gate_s_margins_are_documented_as_they_are() -> None:
    text = (ROOT / "docs" / "models.md").read_text()
    rows = dict(re.findall(r"^\| ([a-zA-Z-]+) \| ([^|]+) \|", text.split("### The gate")[1].split("\n## ")[0], re.MULTILINE))
    assert f"{gate.LOG_LOSS_SHARE:.1%} of the champion's".replace("%", " %") in rows["log-loss"]
    assert "a tenth" in rows["log-loss"]
    assert gate.GAIN_SHARE == 0.1
    assert str(gate.AUC_MARGIN) in rows["AUC"]
    assert str(gate.MOST_ECE) in rows["calibration"]
    assert f"{segments.FEWEST_ROWS} rows" in rows["segments"]
    assert f"{segments.MATERIAL:.0%}".replace("%", " %") in rows["segments"]
    assert f"drawn {gate.ROUNDS:,} times" in text
    assert f"fewer than {FEWEST_UNSEEN} would be left" in text
    assert f"fewer than {FEWEST_FOR_HOLDOUT} rows" in text


def test_the_limits_of_drift_and_of_live_performance_are_documented_as_they_are() -> None:
    text = (ROOT / "docs" / "models.md").read_text().split("## Drift, live performance, retraining")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| ([a-zA-Z -]+) \| ([^|]+) \|", text, re.MULTILINE))
    assert rows["material"] == f"PSI above {drift.MATERIAL}"
    assert f"once in {1 / drift.LEVEL:,.0f} looks" in rows["not by chance"]
    assert rows["rows"] == f"{drift.FEWEST_ROWS} or more"
    assert f"{SMALLEST_SHARE:.0%}".replace("%", " %") in text
    assert str(live.AUC_MARGIN) in rows["AUC"]
    assert f"{live.LOG_LOSS_SHARE:.0%}".replace("%", " %") in rows["log-loss"]
    assert str(live.GAP_MARGIN) in rows["calibration error"]
    assert f"at {live.LEVEL:.0%} for all three".replace("%", " %") in text
    assert f"{FEWEST_TO_TRUST} answers with ten of each" in text
    assert FEWEST_OF_EACH == 10
    assert f"last {monitoring.DRIFT_WINDOW.days} days" in text
    assert f"last {monitoring.LIVE_WINDOW.days} days" in text
    assert f"older than {HORIZON.days} days count" in text
    assert f"{Limits.fewest_new}\nfinished examples" in text
    assert {word for word in rows if word in {why.value.replace("_", " ") for why in Why}} == {
        why.value.replace("_", " ") for why in Why if why is not Why.BY_HAND
    }


def test_the_grades_are_documented_in_their_order() -> None:
    letters = re.findall(r"^\| ([A-E]) \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE)
    assert letters[:-1] == [grade.value for grade, _ in GRADES]


def test_requirements_name_packages_with_hashes_and_no_index() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text
        assert "--index-url" not in text
        for entry in re.split(r"\n(?=[a-z0-9])", text):
            assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_every_feature_is_documented_and_every_documented_one_exists() -> None:
    text = (ROOT / "docs" / "features.md").read_text().split("## Columns")[1].split("## ")[0]
    rows = [row.split("|")[1] for row in text.splitlines() if row.startswith("| `")]
    named = [name for row in rows for name in re.findall("`([a-z_0-9]+)`", row)]
    assert set(named) == {name for found in SETS.values() for subject in found.subjects for name in subject.columns}
    assert len(named) == len(set(named))


def test_the_documented_labels_are_the_code_s() -> None:
    text = (ROOT / "docs" / "features.md").read_text().split("## Examples and labels")[1]
    assert f"within {HORIZON.days} days" in text
    assert f"up to {MOST_MOMENTS} moments" in text


def test_every_habit_of_the_sandbox_is_on_its_page() -> None:
    page = (ROOT / "docs" / "sandbox.md").read_text()
    for name, habit in TABLE.items():
        assert f"| `{name}` | {habit.means} |" in page


# Of one thing, and over by itself: it is tried again, or goes on without, and what comes to nothing is told by another name.
NEED_NOTHING = {
    "activate.delivery.gone", "activate.lease.lost", "champions.traffic.not_read", "clients.account.unknown",
    "company_data.provider.failed", "enrich.enrichment.failed", "enrich.lookup.failed", "monitoring.rows.not_read",
    "names.not_asked",
}  # fmt: skip
LOUD = {"warning", "error", "exception", "critical"}


def test_every_alarm_of_the_log_is_told_to_operators_and_every_one_that_they_are_told_of_is_in_it() -> None:
    table = (ROOT / "docs" / "operations.md").read_text().split("## Alarms")[1]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    told = {name for cell in rows for name in re.findall(r"`([a-z_]+\.[a-z_.]+)`", cell)}
    code = [path.read_text() for room in ("api", "automation", "ml", "data", "scripts") for path in (ROOT / room).rglob("*.py")]
    loud = {name for text in code for name in alarms_in(ast.parse(text))}
    assert len(loud) > 40
    assert loud - told == NEED_NOTHING
    assert not told & NEED_NOTHING
    assert [name for name in told if f'"{name}"' not in "".join(code)] == []


def alarms_in(tree: ast.AST) -> Iterator[str]:
    """The events that a file logs as a warning or worse."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=attr), args=[name, *_]) if attr in LOUD:
                assert isinstance(name, ast.Constant), "an event has a name, and no text that is made"
                yield str(name.value)
