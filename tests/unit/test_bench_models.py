"""The benchmark against peers: splits that are fair, figures that are right, results that are computed once."""

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from sklearn import metrics

from data.errors import NotReady
from tests.bench.__main__ import BENCHES
from tests.bench.models import figures, noise, report, rungs, tables
from tests.bench.models.figures import Difference, Verdict
from tests.bench.models.job import Job
from tests.bench.models.judged import TRUTH, judge
from tests.bench.models.options import parse
from tests.bench.models.ours import as_text, ours
from tests.bench.models.queue import work_through
from tests.bench.models.registry import OURS, PEERS, Peer
from tests.bench.models.run import sections_of, tasks_of
from tests.bench.models.splits import Part, Split, draws, newest, parts_of, random_folds
from tests.bench.models.tables import Table, typed
from tests.bench.models.tasks import How, Outcome, Task, run, stored

LABELS = np.tile([0, 0, 0, 1], 50)


def a_table(rows: int = 60, **more: object) -> Table:
    """A number that tells the label often, and a text that tells nothing."""
    generator = np.random.default_rng(0)
    number = generator.normal(size=rows)
    labels = (number + generator.normal(size=rows) > 0).astype(np.int64)
    frame = pl.DataFrame({"number": number, "text": ["a", "b", "c"] * (rows // 3), "won": labels})
    return Table("toy", frame, "won", **more)  # type: ignore[arg-type]


class TestSplits:
    def test_every_row_is_judged_once_and_never_by_a_model_that_saw_it(self) -> None:
        parts = list(random_folds(LABELS, None, seed=0))
        assert sorted(np.concatenate([part.test for part in parts]).tolist()) == list(range(len(LABELS)))
        assert all(not set(part.train) & set(part.test) for part in parts)
        assert all(LABELS[part.test].mean() == 0.25 for part in parts)

    def test_rows_keep_their_order(self) -> None:
        parts = [*random_folds(LABELS, None, seed=0), newest(200), *draws(LABELS, 12, 3, seed=0)]
        assert all((np.diff(rows) > 0).all() for part in parts for rows in (part.train, part.test))

    def test_twins_stay_on_one_side(self) -> None:
        frame = pl.DataFrame({"number": np.arange(200) % 70, "won": LABELS})
        table = Table("twins", frame, "won", no_twins_across=True)
        for part in parts_of(table, Split.RANDOM):
            assert not set(frame["number"].to_numpy()[part.train]) & set(frame["number"].to_numpy()[part.test])

    def test_newest_fifth_judges(self) -> None:
        part = newest(10)
        assert part.train.tolist() == list(range(8))
        assert part.test.tolist() == [8, 9]

    def test_a_table_without_time_has_no_newest_part(self) -> None:
        assert parts_of(a_table(), Split.NEWEST) == []
        assert len(parts_of(a_table(is_timed=True), Split.NEWEST)) == 1

    def test_a_seed_repeats_the_draws(self) -> None:
        one, two, other = (list(draws(LABELS, 12, 4, seed=seed)) for seed in (0, 0, 1))
        assert all((a.train == b.train).all() and (a.test == b.test).all() for a, b in zip(one, two, strict=True))
        assert any((a.train != b.train).any() for a, b in zip(one, other, strict=True))

    def test_a_draw_has_two_of_each_class_and_is_judged_on_others(self) -> None:
        labels = np.array([1] * 6 + [0] * 194)
        for part in draws(labels, 12, 20, seed=3):
            assert len(part.train) == 12
            assert 2 <= labels[part.train].sum() <= 10
            assert len(part.test) == 188
            assert not set(part.train) & set(part.test)

    def test_a_drawn_row_s_twin_does_not_judge(self) -> None:
        groups = np.arange(200) // 2
        for part in draws(LABELS, 40, 5, seed=0, groups=groups):
            assert not set(groups[part.train]) & set(groups[part.test])

    def test_labels_that_cannot_give_two_of_each_class_are_refused(self) -> None:
        with pytest.raises(ValueError, match="2 of each class"):
            list(draws(np.array([1, 0, 0, 0, 0, 0]), 4, 1, seed=0))


class TestFigures:
    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.50001, 0.9, 1.0])), min_size=2, max_size=60)
    )
    def test_auc_and_log_loss_are_scikit_learn_s(self, pairs: list[tuple[int, float]]) -> None:
        labels, scores = np.array([label for label, _ in pairs]), np.array([score for _, score in pairs])
        clipped = np.clip(scores, 1e-15, 1 - 1e-15)
        assert figures.log_loss(labels, scores) == pytest.approx(metrics.log_loss(labels, clipped, labels=[0, 1]))
        if 0 < labels.mean() < 1:
            assert figures.auc(labels, scores) == pytest.approx(metrics.roc_auc_score(labels, scores))
        else:
            assert np.isnan(figures.auc(labels, scores))

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1), st.integers(0, 4)), min_size=4, max_size=40))
    def test_a_weight_is_a_repeated_row(self, rows: list[tuple[int, float, int]]) -> None:
        labels, scores, counts = (np.array(column) for column in zip(*rows, strict=True))
        repeated = figures.auc(np.repeat(labels, counts), np.repeat(scores, counts))
        weighted = figures.weighted_auc(labels, scores)(counts.astype(float))
        assert weighted == pytest.approx(repeated, nan_ok=True)

    def test_calibration_error_of_known_bins(self) -> None:
        scores = np.repeat([0.1, 0.5], 10)
        labels = np.array([0] * 8 + [1] * 2 + [1] * 9 + [0])  # observed 0.2 and 0.9
        assert figures.ece(labels, scores, 2) == pytest.approx((0.1 + 0.4) / 2)

    def test_rows_with_one_score_share_a_bin(self) -> None:
        labels = np.array([0] * 50 + [1] * 50)
        assert figures.ece(labels, np.full(100, 0.5), 10) == 0

    def test_bins_hold_about_the_same_count(self) -> None:
        scores = np.linspace(0, 1, 100)
        assert figures.ece(np.zeros(100), scores, 10) == pytest.approx(0.5)

    def test_no_difference_is_a_tie(self) -> None:
        scores = np.linspace(0.1, 0.4, 200)
        for found in (
            figures.log_loss_difference(LABELS, scores, scores),
            figures.auc_difference(LABELS, scores, scores, np.zeros(200)),
        ):
            assert (found.value, found.low, found.high) == (0, 0, 0)
            assert found.verdict(lower_is_better=True) is Verdict.TIE

    def test_a_clear_difference_has_its_winner(self) -> None:
        good = np.where(LABELS == 1, 0.8, 0.1) + np.linspace(0, 0.1, 200)
        bad = np.linspace(0.2, 0.3, 200)
        loss = figures.log_loss_difference(LABELS, good, bad)
        area = figures.auc_difference(LABELS, good, bad, np.arange(200) // 100)
        assert loss.value == pytest.approx(figures.log_loss(LABELS, good) - figures.log_loss(LABELS, bad))
        assert loss.low < loss.value < loss.high < 0
        assert loss.verdict(lower_is_better=True) is Verdict.OURS
        assert area.verdict(lower_is_better=False) is Verdict.OURS
        assert figures.log_loss_difference(LABELS, bad, good).verdict(lower_is_better=True) is Verdict.PEER

    def test_the_interval_is_as_wide_as_theory_says(self) -> None:
        values = np.random.default_rng(0).normal(1, 2, 400)
        found = figures.mean_difference(values.tolist())
        error = values.std() / 20
        assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
        assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)

    def test_auc_is_ranked_within_folds_only(self) -> None:
        labels, folds = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
        assert figures.fold_auc(labels, np.array([0.1, 0.2, 0.8, 0.9]), folds) == 1


class TestTables:
    def test_texts_are_typed_as_a_careful_reader_would(self) -> None:
        found = typed(pl.DataFrame({"whole": ["1", " 2 "], "part": ["1.5", " "], "word": ["x", ""], "code": ["1", "a"]}))
        assert found.to_dict(as_series=False) == {"whole": [1, 2], "part": [1.5, None], "word": ["x", None], "code": ["1", "a"]}

    @pytest.mark.skipif(not tables.REAL_DATA.is_dir(), reason=f"{tables.REAL_DATA} is absent")
    @pytest.mark.parametrize("name", tables.REAL)
    def test_real_tables_have_their_leaks_removed(self, name: str) -> None:
        table = tables.TABLES[name]()
        assert not {"duration", "PageValues", "customerID"} & set(table.frame.columns)
        assert set(table.labels.tolist()) == {0, 1}

    def test_no_peer_sees_the_true_probability(self) -> None:
        table = tables.fewer_leads()
        assert table.frame.columns[-1] == "is_won"
        assert "true_probability" not in table.frame.columns
        assert table.truth is not None
        assert figures.auc(table.labels, table.truth) > 0.8

    def test_an_absent_file_is_said_and_skipped(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(tables, "REAL_DATA", tmp_path)
        said: list[str] = []
        assert tables.load(["telco"], said.append) == []
        assert "telco skipped" in said[0]

    def test_shuffled_labels_keep_the_base_rate(self) -> None:
        table = a_table()
        other = noise.shuffled(table, seed=0)
        assert other.labels.sum() == table.labels.sum()
        assert (other.labels != table.labels).any()
        assert other.digest != table.digest


class TestRegistry:
    @pytest.mark.parametrize("peer", PEERS.values(), ids=list(PEERS))
    def test_every_peer_has_its_file_and_its_versions(self, peer: Peer) -> None:
        assert all(path.is_file() for path in peer.code())
        assert peer.lock is not None or peer.packages

    @pytest.mark.parametrize("lock", sorted({peer.lock for peer in PEERS.values() if peer.lock}))
    def test_locks_pin_every_package_with_hashes(self, lock: Path) -> None:
        text = lock.read_text()
        pinned = [line for line in text.splitlines() if line[:1].isalnum()]
        assert pinned
        assert all("==" in line and line.endswith("\\") for line in pinned)
        assert "://" not in text
        assert lock.with_suffix(".in").is_file()

    def test_every_bench_has_a_name(self) -> None:
        assert next(iter(BENCHES)) == "loop"
        assert {"models", "rungs", "noise"} <= BENCHES.keys()

    def test_unknown_names_on_the_command_line_are_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            parse("models", ["--only", "nobody"])
        assert "'nobody' is not one of ours" in capsys.readouterr().err


FAKE = """
from pathlib import Path

def predict(job):
    train, labels, test = job.frames()
    with Path({runs!r}).open("a") as runs:
        print(job.seed, file=runs)
    return [{answer}] * len(test)
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Peer:
    """A peer that says 0.25 to everything, and counts how often it is run."""
    return a_fake(tmp_path, monkeypatch, "0.25")


def a_fake(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> Peer:
    path = folder / "fake_peer.py"
    path.write_text(FAKE.format(runs=str(folder / "runs.txt"), answer=answer))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return Peer("fake", "fake_peer", "says the same to all", lambda: [path], packages=("numpy",))


def runs_of(folder: Path) -> int:
    path = folder / "runs.txt"
    return len(path.read_text().splitlines()) if path.exists() else 0


def a_task(peer: Peer, folder: Path, **how: float) -> Task:
    table = a_table()
    part = Part(np.arange(40), np.arange(40, 60))
    return Task(
        peer,
        table,
        (part,),
        "models/toy/newest-0",
        How(folder / "results", **{"budget_seconds": 1, "threads": 1, **how}),
        table.digest,
    )  # type: ignore[arg-type]


@pytest.mark.slow
class TestResumption:
    def test_a_result_is_computed_once_and_read_afterwards(self, fake: Peer, tmp_path: Path, quiet: Console) -> None:
        task = a_task(fake, tmp_path)
        assert stored(task) is None
        assert work_through([task], console=quiet) == []
        assert work_through([task], console=quiet) == []
        assert runs_of(tmp_path) == 1
        outcome = stored(task)
        assert outcome is not None
        assert outcome.row.tolist() == list(range(40, 60))
        assert set(outcome.probability.tolist()) == {0.25}
        assert len(outcome.seconds) == 1
        assert outcome.peak_megabytes > 1
        work_through([task], fresh=frozenset({"fake"}), console=quiet)
        assert runs_of(tmp_path) == 2

    def test_a_failed_peer_is_told_and_the_others_go_on(
        self, fake: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: Console
    ) -> None:
        broken = dataclasses.replace(fake, name="broken", module="no_such_peer")
        tasks = [a_task(broken, tmp_path), a_task(fake, tmp_path)]
        (failure,) = work_through(tasks, console=quiet)
        assert "no_such_peer" in failure
        assert stored(tasks[0]) is None
        assert stored(tasks[1]) is not None

    @pytest.mark.parametrize(("answer", "complaint"), [("1.5", "no probabilities"), ("float('nan')", "no probabilities")])
    def test_answers_that_are_no_probabilities_are_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, complaint: str
    ) -> None:
        task = a_task(a_fake(tmp_path, monkeypatch, answer), tmp_path)
        with pytest.raises(NotReady, match=complaint):
            run(task, print)
        assert stored(task) is None

    def test_a_result_is_stale_when_what_it_depends_on_changes(self, fake: Peer, tmp_path: Path) -> None:
        task = a_task(fake, tmp_path)
        other_part = dataclasses.replace(task, parts=(Part(np.arange(39), np.arange(40, 60)),))
        other_table = dataclasses.replace(task, table_digest="other")
        paths = {task.path, other_part.path, other_table.path, a_task(fake, tmp_path, seed=1).path}
        (path,) = fake.code()
        path.write_text(path.read_text() + "# changed\n")
        assert len(paths | {task.path}) == 5

    def test_a_disturbed_result_is_computed_anew_where_time_is_limited(self, fake: Peer, tmp_path: Path, quiet: Console) -> None:
        limited = a_task(dataclasses.replace(fake, has_budget=True), tmp_path)
        unlimited = a_task(dataclasses.replace(fake, name="other"), tmp_path)
        work_through([limited, unlimited], console=quiet)
        for task, share in ((limited, 0.5), (unlimited, 0.5)):
            measured = json.loads(task.path.with_suffix(".json").read_text())
            task.path.with_suffix(".json").write_text(json.dumps({**measured, "others_share": share}))
        work_through([limited, unlimited], undisturbed=0.6, console=quiet)
        assert runs_of(tmp_path) == 2
        work_through([limited, unlimited], undisturbed=0.4, console=quiet)
        assert runs_of(tmp_path) == 3

    def test_the_budget_matters_only_to_a_peer_that_has_one(self, fake: Peer, tmp_path: Path) -> None:
        slow = dataclasses.replace(fake, has_budget=True)
        assert a_task(fake, tmp_path, budget_seconds=1).path == a_task(fake, tmp_path, budget_seconds=2).path
        assert a_task(slow, tmp_path, budget_seconds=1).path != a_task(slow, tmp_path, budget_seconds=2).path


@pytest.fixture
def quiet() -> Console:
    return Console(file=io.StringIO())


def an_outcome(rows: list[int], probability: list[float]) -> Outcome:
    return Outcome(np.zeros(len(rows), dtype=np.int64), np.array(rows), np.array(probability), [1.0], 2.0, 0.0, 3.0)


class TestReport:
    def test_ours_meets_the_best_peer_of_each_measure(self, tmp_path: Path) -> None:
        labels = np.tile([0, 1], 20)
        table = Table("toy", pl.DataFrame({"x": range(40), "won": labels}), "won", truth=np.where(labels, 0.9, 0.1))
        rows, sure = list(range(40)), np.where(labels, 0.99, 0.01)
        ranks_well = np.where(labels, 0.02, 0.01)  # a perfect order, and no idea of the level
        level = np.where(np.arange(40) == 0, 0.9, np.where(labels, 0.7, 0.3))
        answers = {OURS: sure, "logistic": level, "xgboost": ranks_well}
        section = judge(
            table, "random", 1, {**{name: [an_outcome(rows, found.tolist())] for name, found in answers.items()}, "flaml": []}
        )
        assert section is not None
        assert [(duel.measure, duel.peer) for duel in section.duels] == [("log_loss", "logistic"), ("auc", "xgboost")]
        assert [duel.verdict for duel in section.duels] == [Verdict.OURS, Verdict.TIE]
        assert section.unfinished == {"flaml": 0}
        assert TRUTH in [row.peer for row in section.peers]
        how = How(tmp_path, 60, 2)
        text = report.write(how, "models", report.models([section], how), [section]).read_text()
        assert "| toy | 5 random folds | log-loss | logistic |" in text
        assert "Not finished: flaml 0 of 1." in text
        assert json.loads((tmp_path / "models.json").read_text())["results"][0]["duels"][0]["verdict"] == "favours us"

    def test_only_whole_splits_are_judged(self, tmp_path: Path) -> None:
        table = a_table(is_timed=True)
        tasks = tasks_of([table], parse("models", ["--results", str(tmp_path)]))
        assert len(tasks) == (5 + 1) * len(PEERS)
        assert sections_of(tasks) == []

    def test_peers_are_paired_row_by_row_over_folds(self) -> None:
        table = a_table()
        halves = [list(range(0, 60, 2)), list(range(1, 60, 2))]
        there = [an_outcome(half, [row / 60 for row in half]) for half in halves]
        section = judge(table, "random", 2, {"logistic": there})
        assert section is not None
        (only,) = section.peers
        assert only.log_loss == pytest.approx(figures.log_loss(table.labels, np.arange(60) / 60))

    def test_the_prior_of_a_rung_counts_one_row_of_each_class_more(self) -> None:
        judged = np.array([1, 0, 0, 0])
        assert rungs.prior_loss(np.array([0, 0, 1, 1, 0, 0]), judged) == pytest.approx(figures.log_loss(judged, np.full(4, 3 / 8)))

    @pytest.mark.parametrize(
        ("ratio", "high", "verdict"), [(1.02, 0.1, "above the prior"), (1.0, 0.01, "at the prior"), (0.9, -0.01, "below the prior")]
    )
    def test_a_rung_is_above_at_or_below_the_prior(self, ratio: float, high: float, verdict: str) -> None:
        rung = rungs.Rung("toy", 12, OURS, 0.5, 0.5, ratio, Difference(0, -0.1, high), 3, 0.1)
        assert report.rung_verdict(rung) == verdict
        assert f"| {verdict} |" in report.rungs([rung])


class TestOurs:
    def test_our_adapter_learns_and_answers_with_probabilities(self) -> None:
        table = a_table(300)
        found = ours(table.frame[:200], table.frame[200:].drop("won"), "won", None, budget_seconds=1, seed=0)
        assert figures.auc(table.labels[200:], found) > 0.7
        assert ((found > 0) & (found < 1)).all()

    def test_moments_are_written_as_a_csv_would(self) -> None:
        frame = tables.fewer_leads().frame[:1]
        assert as_text(frame)["created_at"][0].startswith("2025-01-06T")

    def test_a_job_gives_no_peer_the_target_or_the_time(self, tmp_path: Path) -> None:
        frame = tables.fewer_leads().frame[:20]
        frame.write_parquet(tmp_path / "train.parquet")
        frame.drop("is_won").write_parquet(tmp_path / "test.parquet")
        job = Job(tmp_path / "train.parquet", tmp_path / "test.parquet", "is_won", "created_at", 1, 0, 1)
        train, labels, test = job.frames()
        assert (
            list(train.columns) == list(test.columns) == ["sessions", "engaged_sessions", "page_views", "channel", "is_first_visit"]
        )
        assert set(labels) <= {0, 1}
