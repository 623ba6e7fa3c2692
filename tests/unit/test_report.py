"""The report of a version: the verdict that the rows allow, the user's own words as text and nothing else, one file."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.domain.entity import EntityKind
from data.domain.prediction import GRADES, Grade
from ml import checks
from ml.calibration import Calibration, CalibrationKind
from ml.features.inputs import Input, InputKind
from ml.learners.base import probability
from ml.learners.linear import Line
from ml.learners.registry import LEARNERS
from ml.models.base import Model
from ml.preparation import prepare
from ml.preparation.base import Floats, Form, Ints
from ml.scorer import Member, Scorer
from ml.training import report_words
from ml.training.conclusion import LITTLE_GAIN, Figures, Trust, measure, trust
from ml.training.global_factors import NONE_CLEAR, global_factors
from ml.training.ladder import STACK, TypedTable
from ml.training.leakage import Findings, Reason, RowFinding, RowReason, Suspect
from ml.training.report import page, write_report
from ml.training.train import Trained, train
from ml.version import REPORT

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
QUICK = {name: LEARNERS[name].settings for name in ("naive_bayes", "logistic")}
MODEL = Model("leads", "Leads", EntityKind.CONTACT, "is_won", "Leads", learners=QUICK)
VOID = {"meta", "path", "br"}
EVIL = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "$\\frac{1}",
    "a\x00b\u202ec",
    "' onclick='x",
    "",
)


def table(rows: int, *, seed: int = 0, noise: bool = False) -> TypedTable:
    frame, labels = checks.table(rows, seed=seed)
    return TypedTable(checks.INPUTS, frame, np.random.default_rng(seed).permutation(labels) if noise else labels)


def trained_on(made: TypedTable) -> Trained:
    return train(MODEL, made, data_hash="d" * 64, now=NOON)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return trained_on(replace(table(2_500), times=np.linspace(20_000, 20_400, 2_500)))


@pytest.fixture(scope="module")
def noise() -> Trained:
    return trained_on(table(1_500, noise=True))


class Page(HTMLParser):
    """What a browser would make of it: elements, attributes, and the text that is shown."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self.open[-1:]):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def shown(made: Trained, *, notes: tuple[str, ...] = (), findings: Findings | None = None) -> Page:
    found = Page(page(made, notes=notes, findings=findings))
    assert not found.open, "an element is not closed"
    return found


def sections(found: Page) -> set[str]:
    return {
        title
        for title in ("The data", "Suspects", "Candidates", "What became of each grade", "What moves the scores", "Made with")
        if title in found.text
    }


def test_the_verdict_comes_first_and_everything_is_there(trained: Trained) -> None:
    found = shown(trained, notes=("separator ','",), findings=Findings())
    assert "Times are changing" not in found.text
    assert found.text.index("This model can be trusted") < found.text.index("base rate") < found.text.index("The data")
    assert len(sections(found)) == 6
    assert [tag for tag, _ in found.elements].count("svg") == 2
    for told in (
        "separator ','",
        "None was found",
        "4 Oct 2024 to 20 Aug 2025",
        "How sure: judged by 500 of the newest rows",
        "d" * 64,
    ):
        assert told in found.text, told
    assert trained.card.code_version in found.text
    for row in trained.card.observed:
        assert f"{row.rate:.1%}" in found.text


def test_a_direction_is_told_of_each_column_that_matters(trained: Trained) -> None:
    found = shown(trained).text
    assert re.search(r"visits \d+\.\d higher values raise it", found)
    assert "“mail” raises it" in found


def test_without_a_signal_it_says_so_and_shows_no_ranking(noise: Trained) -> None:
    assert noise.card.learner == "prior"
    found = shown(noise)
    assert "No signal: everybody gets the base rate" in found.text
    assert "Everybody gets the same score" in found.text
    assert sections(found) == {"The data", "Suspects", "Candidates", "Made with"}
    assert "svg" not in [tag for tag, _ in found.elements]


@pytest.mark.parametrize("rows", [2, 4, 12, 40])
@pytest.mark.slow
def test_the_first_rows_of_a_customer_make_a_report_too(rows: int) -> None:
    found = shown(trained_on(table(rows)))
    assert "few" in found.text
    assert "can be trusted" not in found.text


def test_newest_rows_of_one_outcome_only_are_reported_without_an_order() -> None:
    made = table(800)
    labels = made.labels.copy()
    labels[640:] = 0
    found = shown(trained_on(replace(made, labels=labels)))
    assert "AUC" not in found.text
    assert "nan" not in found.text.lower().replace("finance", "")


def hostile(names: list[str]) -> TypedTable:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 600)
    inputs = tuple(Input(name=name, kind=InputKind.CATEGORY) for name in names)
    told = np.where(generator.random((len(names), 600)) < 0.8, labels, 1 - labels)
    columns = {name: [EVIL[which] for which in row] for name, row in zip(names, told.tolist(), strict=True)}
    return TypedTable(inputs, pl.DataFrame(columns), labels)


def assert_harmless(found: Page) -> None:
    for tag, attributes in found.elements:
        assert tag not in {"script", "img", "iframe", "object", "embed", "link", "base", "form", "a"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href", "xlink:href", "action"}:
                assert (value or "").startswith("#"), "something is loaded from elsewhere"


def test_an_outcome_that_has_become_more_frequent_is_told() -> None:
    made = table(2_000)
    seldom = np.flatnonzero((made.labels[:1_600] == 0) | (np.arange(1_600) % 3 == 0))
    found = shown(trained_on(made.rows(np.r_[seldom, np.arange(1_600, 2_000)])))
    assert "Times are changing: is_won was yes in" in found.text


@pytest.mark.slow
def test_newest_rows_that_are_not_like_the_older_ones_are_told() -> None:
    made = table(2_000)
    name = next(column.name for column in made.inputs if column.kind is InputKind.NUMBER)
    late = pl.int_range(pl.len()) >= 1_600
    moved = made.frame.with_columns(pl.when(late).then(pl.lit(None, pl.Float64)).otherwise(pl.col(name)).alias(name))
    said = "The newest rows are not like those that it learned from"
    text = shown(trained_on(replace(made, frame=moved))).text
    assert f"{said}: {name} (“missing” was " in text
    assert ", is 100%)" in text
    assert said not in shown(trained_on(made)).text


@pytest.mark.slow
def test_names_levels_and_notes_are_shown_and_never_run() -> None:
    made = trained_on(hostile([*EVIL[:-1], " "]))
    suspects = tuple(Suspect(name, Reason.TARGET_COPY, name, left_out=True, weight=1.0) for name in EVIL)
    findings = Findings(suspects, (RowFinding(RowReason.DUPLICATES, 3, EVIL[0]),))
    model = replace(made, version=replace(made.version, card=made.card.model_copy(update={"target": EVIL[0], "model": EVIL[1]})))
    found = shown(model, notes=EVIL, findings=findings)
    assert_harmless(found)
    assert "“<script>alert(1)</script>” lowers it" in found.text
    assert "{{ 7 * 7 }}" in found.text
    assert "\x00" not in page(model, notes=EVIL, findings=findings)
    assert "\u202e" not in page(model, notes=EVIL, findings=findings)


@settings(max_examples=10)
@given(st.lists(st.text(max_size=300), min_size=1, max_size=4))
def test_any_note_is_text(noise: Trained, notes: list[str]) -> None:
    assert_harmless(shown(noise, notes=tuple(notes)))


def test_nothing_is_loaded_from_elsewhere(trained: Trained) -> None:
    html = page(trained, notes=(), findings=None)
    assert_harmless(Page(html))
    assert "@import" not in html
    assert "url(http" not in html
    assert set(re.findall(r"https?://[^\"' )]+", html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_suspects_are_named_with_their_evidence_and_how_to_keep_them(trained: Trained) -> None:
    findings = Findings((
        Suspect("closed on; rm -rf", Reason.FILLED_FOR_ONE, "filled in 98 % of the won rows only", left_out=True, weight=0.9),
        Suspect("duration", Reason.TOO_GOOD, "alone it tells more than the rest", left_out=False, weight=0.5),
    ))  # fmt: skip
    text = shown(trained, findings=findings).text
    assert "filled in 98 % of the won rows only" in text
    assert "--keep 'closed on; rm -rf'" in text
    assert Suspect("Revenue, EUR", Reason.TOO_GOOD, "", left_out=True, weight=1).listed == "'\"Revenue, EUR\"'"
    assert "1 column that may know the answer took part" in text
    assert "was not searched" in shown(trained).text


def test_the_same_version_gives_the_same_page(trained: Trained) -> None:
    first, second = (page(trained, notes=("a",), findings=None) for _ in range(2))
    assert first == second


def test_the_report_lies_in_the_versions_folder(trained: Trained, tmp_path: Path) -> None:
    made = replace(trained, notes=("of the training",), findings=Findings())
    path = write_report(made, tmp_path)
    assert path == tmp_path / REPORT
    assert "of the training" in path.read_text()
    assert "of the caller" in write_report(made, tmp_path, notes=("of the caller \ud800 é",)).read_text("utf-8")


def test_every_name_of_ours_has_a_word() -> None:
    assert report_words.LEARNERS.keys() == report_words.HOW.keys() == {*LEARNERS, STACK}
    assert set(report_words.KINDS) == set(InputKind)
    assert set(report_words.REASONS) == set(Reason)
    assert set(report_words.ROW_REASONS) == set(RowReason)
    assert set(report_words.GRADES) == set(Grade)
    assert set(report_words.CALIBRATIONS) == {kind.value for kind in CalibrationKind}
    assert [limit for _, limit in GRADES] == [4.0, 2.0, 1.0, 0.5], "the words of the grades say these limits"


def chances(rows: int, *, spread: float = 1.5, seed: int = 0) -> tuple[Ints, Floats]:
    generator = np.random.default_rng(seed)
    scores = probability(generator.normal(-1, spread, rows))
    return (generator.random(rows) < scores).astype(np.int64), scores


def judged(labels: Ints, scores: Floats, *, is_prior: bool = False) -> Trust:
    return trust(measure(labels, scores, float(labels.mean())), is_prior=is_prior)


def test_a_verdict_claims_what_the_rows_show_and_no_more() -> None:
    labels, scores = chances(3_000)
    assert judged(labels, scores) is Trust.GOOD
    assert judged(labels, 0.75 * scores + 0.15) is Trust.RANKS_ONLY
    assert judged(labels[:25], scores[:25]) is Trust.LITTLE, "25 rows are no proof"
    assert judged(*chances(40_000, spread=0.2)) is Trust.LITTLE, "a gain that is sure, and too small to matter"
    assert judged(labels, scores[::-1]) is Trust.WORSE
    assert judged(labels, scores, is_prior=True) is Trust.NONE


@pytest.mark.parametrize("seed", range(5))
def test_scores_that_are_chance_are_never_trusted(seed: int) -> None:
    labels, scores = chances(1_000, seed=seed)
    assert judged(np.random.default_rng(seed).permutation(labels), scores) in {Trust.LITTLE, Trust.WORSE}


@settings(max_examples=20)
@given(st.integers(2, 300), st.integers(0, 50), st.floats(0, 1))
def test_figures_are_sane_on_any_rows(rows: int, seed: int, base_rate: float) -> None:
    labels, scores = chances(rows, seed=seed)
    found: Figures = measure(labels, scores, base_rate, seed=seed)
    assert found.log_loss.low <= found.log_loss.value + 1e-9
    assert found.log_loss.value <= found.log_loss.high + 1e-9
    assert found.gain.value <= 1
    assert (found.auc is None) is (len(set(labels.tolist())) < 2)
    assert 0 <= found.gap <= 1
    assert 0 <= LITTLE_GAIN <= 1


def test_true_chances_are_within_what_chance_makes_of_them() -> None:
    inside = [found.gap <= found.gap_by_chance for found in (measure(*chances(400, seed=seed), 0.3) for seed in range(40))]
    assert sum(inside) >= 34  # of 40; 38 are expected


def test_what_moves_a_line_is_told_with_its_direction() -> None:
    """Log-odds = visits - income + 2 if mail, else - 1."""
    inputs = (
        Input(name="visits", kind=InputKind.NUMBER), Input(name="age", kind=InputKind.NUMBER),
        Input(name="channel", kind=InputKind.CATEGORY), Input(name="nothing", kind=InputKind.NUMBER),
    )  # fmt: skip
    generator = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "visits": generator.normal(size=500), "age": generator.normal(size=500),
            "channel": generator.choice(["mail", "phone"], 500), "nothing": generator.normal(size=500),
        }
    )  # fmt: skip
    preparation, matrix = prepare.fit(Form.SCALED, inputs, frame, generator.integers(0, 2, 500), seed=0)
    weights = {"visits": 0.5, "age": -1.0, "channel = mail": 2.0, "channel = phone": -1.0}
    line = Line(np.array([weights.get(column.name, 0.0) for column in preparation.columns]), -1.0)
    member = Member("logistic", Form.SCALED, line)
    scorer = Scorer(inputs, {Form.SCALED: preparation}, (member,), 0.0, Calibration())
    found = {factor.name: factor for factor in global_factors(scorer, frame)}
    assert [*found] == ["channel", "age", "visits"]
    assert found["visits"].direction == "higher values raise it"
    assert found["age"].direction == "lower values raise it"
    assert found["channel"].direction == "“mail” raises it, “phone” lowers it"
    assert sum(factor.share for factor in found.values()) == pytest.approx(1)
    assert len(matrix) == 500


def test_a_column_that_is_best_in_the_middle_has_no_single_direction() -> None:
    made = table(600)
    shares = -np.abs(made.frame["visits"].to_numpy() - 3)
    from ml.training.global_factors import _direction

    assert _direction(made.inputs[0], made.frame["visits"], shares) == NONE_CLEAR
