"""Whatever a user's table, disk or registry is like: one clear line, or a note that says what is lost; who serves is not harmed.

Elsewhere: trainings at the same time (test_registry_races), a full disk and an absent MLflow at each step of registering
(test_registry_gate), champions that change and that cannot be loaded under load (test_reload), every dialect and any bytes
(tests/unit/test_table_file).
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

import scripts.training
from automation.jobs import champions
from automation.pipeline.context import Loop
from data import log
from data.settings import Scope
from ml import copies
from ml.learners.registry import LEARNERS
from ml.models.base import Model, of_user_table
from ml.tables.table import Choice
from ml.training.own_table import read_own_table
from ml.training.report import OUT_OF_TIME
from ml.training.train import train
from ml.version import CHAMPION, Version, save
from scripts import cli
from tests import bad_tables
from tests.support import COLD, HOT, bearer

pytestmark = pytest.mark.slow

MODEL = "leads"
QUICK = {"logistic": LEARNERS["logistic"].settings}
NOBODY = "http://ada:secret@127.0.0.1:1"  # nobody listens there
FULL_DISK_BYTES = 24 * 1024 * 1024


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Place:
    """A folder with a champion in it, and the command line over it."""

    folder: Path
    run: Callable[..., Done]

    @property
    def champion(self) -> str:
        """What serves, to the byte."""
        return digest(self.folder / "models" / MODEL)

    def file(self, content: bytes, name: str = "table.csv") -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def train(self, path: Path, *more: str, name: str = "new") -> Done:
        return self.run("train", "--csv", str(path), "--target", "won", "--name", name, "--budget", "0", *more)

    def score(self, path: Path, *more: str, out: str = "scores.csv") -> Done:
        return self.run("score", "--csv", str(path), "--name", MODEL, "--out", str(self.folder / out), *more)


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return found.hexdigest()


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the good table, put where serving looks, without MLflow."""
    folder = tmp_path_factory.mktemp("champion")
    (folder / "good.csv").write_bytes(bad_tables.file_of(bad_tables.rows(200)))
    own = read_own_table(folder / "good.csv", Choice("won"))
    model = with_few(of_user_table(MODEL, "won"))
    trained = train(model, own.typed, data_hash="0" * 64, now=datetime(2026, 3, 2, tzinfo=UTC))
    assert trained.card.learner == "logistic"
    version = Version(trained.card.model_copy(update={"version": "1"}), trained.version.scorer)
    (folder / "models" / MODEL / "1").mkdir(parents=True)
    save(version, folder / "models" / MODEL / "1", reference=trained.reference)
    copies.point(folder / "models", MODEL, CHAMPION, "1")
    return folder


@pytest.fixture
def few_compete(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what a training is written to: who competes in it changes nothing."""
    monkeypatch.setattr(scripts.training, "of_user_table", lambda name, target: with_few(of_user_table(name, target)))


def with_few(model: Model) -> Model:
    return replace(model, learners={"prior": LEARNERS["prior"].settings, **QUICK})


@pytest.fixture
def place(champion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    shutil.copytree(champion, tmp_path, dirs_exist_ok=True)
    return placed(tmp_path, monkeypatch, capsys)


def placed(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    monkeypatch.setenv("LEADLOOP_VAR_DIR", str(folder))
    monkeypatch.setenv("LEADLOOP_DATABASE_URL", f"sqlite:///{folder / 'leadloop.db'}")
    monkeypatch.setenv("LEADLOOP_MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["leadloop", *arguments])
        for console in (cli.console, cli.errors):
            monkeypatch.setattr(console, "_width", 10_000)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        log.configure(json=True, level="CRITICAL")  # a command logs to the stream of its own test
        told = capsys.readouterr()
        return Done(int(str(ended.value.code)), told.out, told.err)

    return Place(folder, run)


def assert_refused(done: Done, said: str) -> None:
    assert done.status in (1, 2), done.out
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", bad_tables.UNREADABLE)
def test_what_is_no_table_neither_teaches_nor_is_scored(place: Place, name: str) -> None:
    content, said = bad_tables.UNREADABLE[name]
    path, before = place.file(content), place.champion
    for done in (place.train(path), place.score(path)):
        assert_refused(done, said)
        assert str(path) in done.err
    assert_nothing_is_left(place, before)


@pytest.mark.parametrize("name", bad_tables.UNTEACHABLE)
def test_what_cannot_teach_is_refused_with_the_column_and_the_remedy(place: Place, name: str) -> None:
    content, said = bad_tables.UNTEACHABLE[name]
    before = place.champion
    assert_refused(place.train(place.file(content)), said)
    assert_nothing_is_left(place, before)


PLACES = {
    "no such file": ("nowhere.csv", "no such file"),
    "a file that is a directory": ("models", "this is a folder"),
    "an unreadable file": ("/proc/self/mem", "cannot be read"),
}


@pytest.mark.parametrize("name", PLACES)
def test_what_is_no_readable_file_is_said(place: Place, name: str) -> None:
    where, said = PLACES[name]
    before = place.champion
    for done in (place.train(place.folder / where), place.score(place.folder / where)):
        assert_refused(done, said)
    assert_nothing_is_left(place, before)


OPTIONS = {
    "no target named": (("train", "--csv", "good.csv"), "--target"),
    "a target in other letters": (("train", "--csv", "good.csv", "--target", "Won", "--name", "n"), "did you mean 'won'?"),
    "a time that is none": (
        ("train", "--csv", "good.csv", "--target", "won", "--time", "source"),
        "source: neither numbers nor dates",
    ),
    "a name that is no folder's": (("train", "--csv", "good.csv", "--target", "won", "--name", "My Leads!"), "as My_Leads"),
    "a model and a table": (("train", "lead_score", "--csv", "good.csv", "--target", "won"), "not both"),
    "a model that is not here": (("score", "--csv", "good.csv", "--name", "nobody", "--out", "x.csv"), "there are: leads"),
    "an out of another kind": (("score", "--csv", "good.csv", "--name", MODEL, "--out", "x.xlsx"), ".csv or .parquet"),
    "an out nowhere": (("score", "--csv", "good.csv", "--name", MODEL, "--out", "no/x.csv"), "there is no such folder"),
    "an out that is a folder": (("score", "--csv", "good.csv", "--name", MODEL, "--out", "folder.csv"), "this is a folder"),
    "an id that is not there": (
        ("score", "--csv", "good.csv", "--name", MODEL, "--out", "x.csv", "--id", "key"),
        "no column 'key'",
    ),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_that_do_not_fit_are_named(place: Place, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, said = OPTIONS[name]
    monkeypatch.chdir(place.folder)
    (place.folder / "folder.csv").mkdir()
    before = place.champion
    assert_refused(place.run(*arguments), said)
    assert not list(place.folder.glob("*x.csv*"))
    assert place.champion == before


@pytest.mark.slow
@pytest.mark.parametrize("name", bad_tables.DEGRADED)
def test_what_teaches_less_well_says_so_in_the_output_and_in_the_report(place: Place, name: str) -> None:
    content, said = bad_tables.DEGRADED[name]
    before = place.champion
    done = place.train(place.file(content))
    assert done.status == 0, done.err
    report = (place.folder / "models" / "new" / "1" / "report.html").read_text()
    for note in said.split("|"):
        assert note in done.out
        assert note in report.replace("&#39;", "'")
    assert "\x1b" not in done.out + report
    assert place.champion == before
    scored = place.run("score", "--csv", str(place.folder / "table.csv"), "--name", "new", "--out", str(place.folder / "out.csv"))
    assert scored.status == 0, scored.err
    assert pl.read_csv(place.folder / "out.csv")["score"].is_between(0, 1).all()
    assert (place.folder / "out.csv").stat().st_mode & 0o077 == 0, "nobody else may read of people"


@pytest.mark.slow
@pytest.mark.minutes
def test_two_thousand_columns_are_trained_on_as_far_as_the_time_goes(place: Place) -> None:
    path = place.file(bad_tables.wide())
    done = place.run("train", "--csv", str(path), "--target", "won", "--name", "wide", "--budget", "1")
    assert done.status == 0, done.err
    assert f"{bad_tables.WIDE + 4:,} columns" in done.out
    assert OUT_OF_TIME.split("{}")[0] in (place.folder / "models" / "wide" / "1" / "report.html").read_text()
    some = place.file(b"".join(path.read_bytes().splitlines(keepends=True)[:100]), "some.csv")
    scored = place.run("score", "--csv", str(some), "--name", "wide", "--out", str(place.folder / "out.csv"))
    assert scored.status == 0, scored.err


CHANGED = {
    "a column is gone": (lambda row: {**row, "budget": None}, "budget", "not in the file, counted as missing: budget"),
    "a column is new": (lambda row: {**row, "region": "north"}, "", "not used by the model: region"),
    "numbers became words": (lambda row: {**row, "visits": "many"}, "", "visits: 60 of 60 cells are no numbers"),
    "categories nobody knew": (lambda row: {**row, "source": "Fair"}, "", "source: none of its values was known in training"),
    "infinite and huge": (lambda row: {**row, "visits": "inf", "budget": "1e300"}, "", "budget: 60 of 60 cells are no numbers"),
    "a text of 100 kB": (lambda row: {**row, "source": "x" * bad_tables.LONG_TEXT}, "", "none of its values was known"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGED)
def test_a_table_that_changed_since_the_training_is_scored_and_told(place: Place, name: str) -> None:
    change, gone, said = CHANGED[name]
    table = [{key: value for key, value in change(row).items() if key != gone} for row in bad_tables.rows()]
    done = place.score(place.file(bad_tables.file_of(table, separator=";")))
    assert done.status == 0, done.err
    assert said in done.out
    scores = pl.read_csv(place.folder / "scores.csv")["score"]
    assert len(scores) == bad_tables.ROWS
    assert scores.is_between(0, 1).all()


def test_the_moment_of_a_row_is_used_and_missed(place: Place) -> None:
    days = [f"2026-01-{1 + number % 28:02d}" for number in range(200)]
    rows = [
        {**row, "asked": day, "founded": day.replace("26-01", "20-05")} for row, day in zip(bad_tables.rows(200), days, strict=True)
    ]
    own = read_own_table(place.file(bad_tables.file_of(rows)), Choice("won", time="asked"))
    model = with_few(of_user_table("dated", "won"))
    trained = train(model, own.typed, moment=own.moment, data_hash="0" * 64, now=datetime(2026, 3, 2, tzinfo=UTC))
    folder = place.folder / "models" / "dated" / "1"
    folder.mkdir(parents=True)
    save(Version(trained.card.model_copy(update={"version": "1"}), trained.version.scorer), folder)
    copies.point(place.folder / "models", "dated", CHAMPION, "1")

    def score(table: list[dict[str, Any]]) -> str:
        path, out = place.file(bad_tables.file_of(table)), place.folder / "out.csv"
        done = place.run("score", "--csv", str(path), "--name", "dated", "--out", str(out))
        assert done.status == 0, done.err
        return done.out

    assert "not used" not in score([{key: value for key, value in row.items() if key != "won"} for row in rows])
    assert "asked is not in the file: every row is taken as of now" in score(
        [{key: value for key, value in row.items() if key != "asked"} for row in rows]
    )
    assert "asked: 200 of 200 cells are no dates" in score([{**row, "asked": "soon"} for row in rows])


def test_columns_that_are_unlike_those_that_taught_are_told(place: Place) -> None:
    alike = bad_tables.rows() * 4
    done = place.score(place.file(bad_tables.file_of(alike)))
    assert done.status == 0, done.err
    assert "unlike the rows" not in done.out
    done = place.score(place.file(bad_tables.file_of([{**row, "visits": ""} for row in alike])))
    assert done.status == 0, done.err
    assert "visits: unlike the rows that taught; missing was 0% of them, is 100% here" in done.out
    assert done.out.count("unlike the rows") == 1


def test_a_table_of_which_the_model_knows_no_column_is_refused(place: Place) -> None:
    before = place.champion
    assert_refused(place.score(place.file(b"a,b\n1,2\n")), "none of the model's columns is in the file")
    assert_nothing_is_left(place, before)


def test_scores_that_were_there_stay_until_the_new_ones_are_whole(place: Place) -> None:
    (place.folder / "scores.csv").write_text("yesterday's")
    assert_refused(place.score(place.file(bad_tables.JUNK)), "binary")
    assert (place.folder / "scores.csv").read_text() == "yesterday's"
    assert place.score(place.folder / "good.csv").status == 0
    assert (place.folder / "scores.csv").read_text().startswith("row,score")


# A registry that is down, or half-written.


def test_a_registry_that_is_down_is_said_before_anything_is_trained(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLOOP_MLFLOW_TRACKING_URI", NOBODY)
    before = place.champion
    done = place.train(place.folder / "good.csv")
    assert_refused(done, "MLflow (http://127.0.0.1:1)")
    assert "Training ..." not in done.out
    assert "secret" not in done.err
    assert_nothing_is_left(place, before)
    assert place.score(place.folder / "good.csv").status == 0


@pytest.mark.slow
@pytest.mark.usefixtures("few_compete", "same_plots_are_drawn_once")
@pytest.mark.parametrize("left", [0.1, 0.5])
def test_a_registry_that_is_half_written_is_said_and_who_serves_goes_on(place: Place, left: float) -> None:
    assert place.train(place.folder / "good.csv", name="whole").status == 0
    path = place.folder / "mlflow.db"
    os.truncate(path, int(path.stat().st_size * left))
    before = digest(place.folder / "models")
    assert_refused(place.train(place.folder / "good.csv", name="whole"), "its file is damaged: put back a copy of it")
    assert digest(place.folder / "models") == before
    assert place.score(place.folder / "good.csv").status == 0


def test_a_registry_that_is_no_database_is_said(place: Place) -> None:
    (place.folder / "mlflow.db").write_bytes(bad_tables.JUNK)
    before = place.champion
    assert_refused(place.train(place.folder / "good.csv"), "its file is damaged")
    assert_nothing_is_left(place, before)


# A corrupt artefact.


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("file", ["card.json", "preparation.json", "model"])
def test_a_cut_artefact_is_not_scored_by_and_the_remedy_is_named(place: Place, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLOOP_MLFLOW_TRACKING_URI", NOBODY)
    (path,) = (place.folder / "models" / MODEL / "1").glob(file if file != "model" else "l*.json")
    cut_off(path)
    done = place.score(place.folder / "good.csv")
    assert_refused(done, f"champion 1 of {MODEL} is damaged here, and cannot be had from MLflow")
    assert f"leadloop models rollback {MODEL}" in done.err
    assert not (place.folder / "scores.csv").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("few_compete", "same_plots_are_drawn_once")
def test_a_cut_artefact_is_fetched_anew_where_mlflow_has_it(place: Place) -> None:
    assert place.train(place.folder / "good.csv", name=MODEL + "_2").status == 0
    cut_off(place.folder / "models" / (MODEL + "_2") / "1" / "preparation.json")
    done = place.run("score", "--csv", str(place.folder / "good.csv"), "--name", MODEL + "_2", "--out", str(place.folder / "o.csv"))
    assert done.status == 0, done.err
    assert "was damaged here, and has been fetched anew" in done.out
    assert done.err == ""


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("file", ["card.json", "model.json", "preparation.json", "checksums.json"])
def test_the_service_keeps_the_last_good_version_and_says_so(loop: Loop, api: httpx.Client, file: str) -> None:
    folder, read = loop.settings.models_dir / "lead_score", bearer(Scope.READ)
    before = [api.post("/score", json=lead, headers=bearer(Scope.SCORE)).json()["score"] for lead in (HOT, COLD)]
    shutil.copytree(folder / "1", folder / "2")
    cut_off(folder / "2" / file)
    copies.point(loop.settings.models_dir, "lead_score", CHAMPION, "2")
    champions.refresh(loop)
    assert api.get("/health/ready").json()["models"] == {"lead_score": "1"}
    (shown,) = api.get("/models", headers=read).json()
    assert "champion 2 cannot be loaded" in shown["load_error"]
    detail = api.get("/models/lead_score", headers=read)
    assert detail.status_code == 200
    assert "1" in [row["version"] for row in detail.json()["versions"]]
    assert [api.post("/score", json=lead, headers=bearer(Scope.SCORE)).json()["score"] for lead in (HOT, COLD)] == before


# A full disk.


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that is nearly full, with room for what a test leaves free."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={FULL_DISK_BYTES}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a disk that is full takes the right to mount one: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, *, but: int) -> None:
    """Leaves so many bytes of room."""
    room = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "ballast").write_bytes(b"\0" * max(room - but, 0))


@pytest.mark.slow
@pytest.mark.usefixtures("few_compete", "same_plots_are_drawn_once")
@pytest.mark.parametrize("room", [0, 60_000, 300_000])
def test_a_full_disk_while_training_harms_no_champion(
    champion: Path,
    small_disk: Path,
    room: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(champion, small_disk, dirs_exist_ok=True)
    place = placed(small_disk, monkeypatch, capsys)
    assert place.train(small_disk / "good.csv", name="first").status == 0
    before = digest(small_disk / "models")
    fill(small_disk, but=room)
    done = place.train(small_disk / "good.csv", name="first")
    assert_refused(done, "make room on it and try again")
    assert digest(small_disk / "models") == before
    assert not [path for path in (small_disk / "models").rglob("*") if path.name.startswith((".new-", ".old-", ".card"))]
    (small_disk / "ballast").unlink()
    assert place.train(small_disk / "good.csv", name="first").status == 0


def test_a_full_disk_while_scoring_leaves_no_half_file(place: Place, small_disk: Path) -> None:
    fill(small_disk, but=4_096)
    for ending in ("csv", "parquet"):
        out = small_disk / f"scores.{ending}"
        done = place.run("score", "--csv", str(place.folder / "good.csv"), "--name", MODEL, "--out", str(out))
        assert_refused(done, "cannot be written")
        assert [path.name for path in small_disk.iterdir()] == ["ballast"]


def assert_nothing_is_left(place: Place, champion_before: str) -> None:
    assert [path.name for path in (place.folder / "models").iterdir() if not path.name.startswith(".lock")] == [MODEL]
    assert not list(place.folder.glob("*scores*"))
    assert place.champion == champion_before


def test_what_a_table_is_called_may_hold_anything(place: Place) -> None:
    """An error is one line, and steers no terminal, whatever a name holds."""
    odd: Any = "\x1b[31mtwo\nlines\u202e"
    done = place.train(place.file(bad_tables.changed(lambda _: {"visits": "", "source": "", "budget": "", odd: 1})))
    assert_refused(done, "[31mtwo lines")
    assert "\x1b" not in done.err
