"""`leadloop demo`: the whole loop on this machine, and a summary of what arrived.

Everything it starts listens on loopback and keeps its data under `data/var/demo/`, apart from a real installation's.
"""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from automation.sources.properties import internal_name
from data.settings import ROOT, VAR
from ml.tables.table import Choice, Table, as_rows, read_labelled
from ml.training import evaluate
from ml.training.split import cut_of
from scripts.demo_report import OwnTableEffects, show, show_addresses, show_own_table
from scripts.effects import Effects, expected_scores, served_version, settled
from scripts.play import Script, play_rows, play_world, seed_history
from scripts.stand import Stand, free_port, stand
from scripts.terminal import end_tidily, progress_bar, until_interrupted

DEMO = VAR / "demo"
OWN_MODEL = "own_table"
FIRST_ID = 600_001
SETTLE_SECONDS = 120
OWN_BUDGET = 10  # seconds of tuning: a demo shows the loop
PORTS = {"service": 8000, "n8n": 5678, "sandbox": 8025}
# What of an earlier demo is kept: n8n's own database, which takes a while to make.
KEPT = {"n8n"}


@dataclass(frozen=True)
class OwnTable:
    path: Path
    target: str
    time: str | None
    drop: tuple[str, ...]


def run_demo(*, once: bool, events: int, own: OwnTable | None, seed: int, console: Console) -> bool:
    """Runs it; True if every expected effect arrived. Without `once` all stays up until Ctrl-C."""
    end_tidily()
    table = None
    if own is not None:
        table = read_labelled(own.path, Choice(target=own.target, time=own.time, drop=own.drop))
    _clear(DEMO)
    overrides = {"hot_threshold": "auto", "lead_model": OWN_MODEL if own else "lead_score"}
    with stand(DEMO, overrides=overrides, ports=PORTS) as parts:
        _bring_up(parts, own, seed, console)
        console.print()
        if own is None or table is None:
            good = _plain(parts, events, seed, console)
        else:
            good = _own_table(parts, table, events, seed, console)
        if not once:
            with _mlflow_ui(parts) as mlflow_url:
                show_addresses(console, parts, mlflow_url)
                until_interrupted()
    return good


def _clear(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name in KEPT:
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _bring_up(parts: Stand, own: OwnTable | None, seed: int, console: Console) -> None:
    """n8n on one core while the model trains on the other."""
    failures: list[Exception] = []

    def prepare() -> None:
        try:
            parts.prepare_n8n()
            parts.start_n8n()
        except Exception as error:  # Told below, by the thread that can end the demo.
            failures.append(error)

    started = time.monotonic()
    thread = threading.Thread(target=prepare, name="n8n")
    console.print(
        "[bold]Leadloop demo[/bold]: installing n8n if need be (minutes, the first time only), training a model meanwhile."
    )
    thread.start()
    if own is None:
        parts.run("train", "lead_score", "--sample", "--seed", str(seed))
    else:
        options = ["--time", own.time] if own.time else []
        options += ["--drop", ",".join(own.drop)] if own.drop else []
        parts.run("train", "--csv", str(own.path), "--target", own.target, "--name", OWN_MODEL, "--seed", str(seed),
                  "--budget", str(OWN_BUDGET), *options)  # fmt: skip
    parts.start_service()
    with console.status("Waiting for n8n ..."):
        thread.join()
    if failures:
        raise failures[0]
    console.print(f"Service, stand-ins and n8n are up after {time.monotonic() - started:.0f} s.")


def _plain(parts: Stand, events: int, seed: int, console: Console) -> bool:
    seed_history(parts.sandbox, seed=seed)
    with progress_bar(console, "Playing CRM events", events) as progress:
        script = play_world(parts.player, events=events, seed=seed, progress=progress)
    effects = _settled(parts, script, expected_scores(parts, script.contacts), console)
    show(console, effects)
    return effects.complete


def _own_table(parts: Stand, table: Table, events: int, seed: int, console: Console) -> bool:
    served = served_version(parts)
    cut = cut_of(len(table.labels))
    newest = as_rows(table.rows[cut:].select(table.columns))
    labels = table.labels[cut:]
    scores = np.array([prediction.score for prediction in served.predict(newest)])
    hot = scores > served.threshold
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.choice(len(newest), size=min(events, len(newest)), replace=False))
    parts.player.define({internal_name(name) for name in table.columns})
    contacts = [_as_contact(newest[place], FIRST_ID + order) for order, place in enumerate(chosen)]
    with progress_bar(console, "Playing your newest rows", len(contacts)) as progress:
        play_rows(parts.player, contacts, first_id=FIRST_ID, generator=generator, progress=progress)
    numbers = [str(FIRST_ID + order) for order in range(len(chosen))]
    script = Script(good=len(chosen), contacts=set(numbers))
    wanted = {number: float(scores[place]) for number, place in zip(numbers, chosen, strict=True)}
    effects = _settled(parts, script, wanted, console)
    show(console, effects)
    low, high = evaluate.lift_interval(labels, hot, seed=seed)
    figures = OwnTableEffects(
        rows=len(labels),
        base_rate=float(labels.mean()),
        auc=evaluate.auc(labels, scores),
        threshold=served.threshold,
        hot_rows=int(hot.sum()),
        precision=float(labels[hot].mean()) if hot.any() else float("nan"),
        lift=evaluate.lift(labels, hot),
        lift_low=low,
        lift_high=high,
        played=len(chosen),
        played_hot=int(hot[chosen].sum()),
        played_won=int(labels[chosen][hot[chosen]].sum()),
        played_base_rate=float(labels[chosen].mean()),
    )
    show_own_table(console, figures)
    return effects.complete


def _as_contact(row: dict[str, Any], number: int) -> dict[str, Any]:
    known = {internal_name(name): value for name, value in row.items()}
    return {**known, "email": f"row.{number}@own-table.example", "firstname": "Row", "lastname": str(number)}


def _settled(parts: Stand, script: Script, wanted: dict[str, float], console: Console) -> Effects:
    with console.status("Waiting until everything has arrived ..."):
        return settled(parts, script, wanted, seconds=SETTLE_SECONDS)


@contextmanager
def _mlflow_ui(parts: Stand) -> Iterator[str]:
    port = free_port(5000)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", parts.settings.mlflow_tracking_uri,
               "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]  # fmt: skip
    with (parts.folder / "mlflow.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)
