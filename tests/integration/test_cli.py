"""The command line: exit statuses, and errors of one clear line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from data.settings import ROOT
from scripts import cli


def leadloop(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("LEADLOOP_")}
    env |= {f"LEADLOOP_{name}": value for name, value in settings.items()} | {"COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "scripts.cli", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "settings", "status", "said"),
    [
        (("--help",), {}, 0, ""),
        (("train", "--help"), {}, 0, ""),
        (("nonsense",), {}, 2, "nonsense"),
        (("train",), {}, 2, "lead_score"),
        (("train", "--csv", "x.csv"), {}, 2, "--target"),
        (("train", "nobody", "--sample"), {}, 1, "nobody"),
        (("train", "lead_score"), {}, 1, "--sample"),
        (("train", "--csv", "nowhere.csv", "--target", "y", "--name", "n"), {}, 1, "nowhere.csv"),
        (("serve", "--workers", "2"), {}, 2, "PostgreSQL"),
        (("serve",), {"HOT_THRESHOLD": "1.5"}, 1, "LEADLOOP_HOT_THRESHOLD"),
        (("serve",), {"API_TOKENS": "short:read"}, 1, "LEADLOOP_API_TOKENS"),
        (("hubspot", "setup"), {}, 1, "LEADLOOP_HUBSPOT_TOKEN"),
        (("replay",), {}, 2, "--dead-letters"),
        (("worker", "--check"), {"VAR_DIR": "/nonexistent"}, 1, "signs of life"),
        (("sandbox", "--play", "3"), {}, 2, "--secret"),
        (("demo", "--events", "0"), {}, 2, "--events"),
        (("score", "--csv", "x.csv", "--name", "n", "--out", "x.txt"), {}, 2, "--out"),
    ],
)
def test_exit_status_and_one_clear_line(
    arguments: tuple[str, ...],
    settings: dict[str, str],
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["leadloop", *arguments])
    for name, value in settings.items():
        monkeypatch.setenv(f"LEADLOOP_{name}", value)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr().err
    assert ended.value.code == status, told
    if status:
        assert said in told
        assert len(told.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_process_of_its_own_says_the_same() -> None:
    done = leadloop("serve", "--workers", "2")
    assert done.returncode == 2
    assert "PostgreSQL" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_debug_shows_the_traceback() -> None:
    done = leadloop("--debug", "hubspot", "setup")
    assert "Traceback" in done.stderr


@pytest.mark.slow
def test_replay_reports_what_it_would_do(tmp_path: Path) -> None:
    done = leadloop(
        "replay", "--dead-letters", "--dry-run", DATABASE_URL=f"sqlite:///{tmp_path / 'leadloop.db'}", VAR_DIR=str(tmp_path)
    )
    assert done.returncode == 0
    assert "0 of 0" in done.stdout


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("A,B", ("A", "B")),
        (" A , B ", ("A", "B")),
        ('"Revenue, EUR",B', ("Revenue, EUR", "B")),
        ('A, "Revenue, EUR"', ("A", "Revenue, EUR")),
        ("", ()),
        (",", ()),
        ("two words", ("two words",)),
    ],
)
def test_a_list_of_columns_is_cut_at_commas_outside_of_quotation_marks(given: str, names: tuple[str, ...]) -> None:
    assert cli._listed(given) == names
