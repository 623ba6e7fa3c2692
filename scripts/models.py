"""`leadloop models`: the registry on the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from data.domain.audit import Action
from data.errors import LeadloopError
from data.settings import load_settings

if TYPE_CHECKING:  # the rooms are imported when a command runs: `--help` should not wait for them
    from automation.models import ModelState, Monitored, VersionState
    from automation.pipeline.context import Loop
    from ml.training.bootstrap import Difference
    from ml.training.compare import Comparison
    from ml.training.gate import Decision
    from ml.training.verdict import Verdict

FIGURES = {
    "log_loss": "error (log-loss; less is better)",
    "auc": "right order (AUC; more is better)",
    "brier": "squared error (Brier; less is better)",
    "ece": "off on average (ECE; less is better)",
}
models_app = typer.Typer(help="Versions: who serves, why, and who could instead.", no_args_is_help=True)
console = Console()

Name = Annotated[str, typer.Argument(help="The model's name, as lead_score.")]
VersionName = Annotated[str, typer.Argument(help="The version's number.")]


@models_app.command("list")
def list_models() -> None:
    """Every model with its champion and challenger."""
    from automation import models

    with _loop() as loop:
        grid = _grid("", "model", "champion", "challenger", "versions here", "traffic")
        for state in models.states(loop):
            found = [row.version for row in models.versions(loop, state.model)]
            grid.add_row(state.model, state.champion or "", state.challenger or "", ", ".join(found), _traffic(state))
        console.print(grid)


@models_app.command("show")
def show(model: Name) -> None:
    """One model: its versions, what the gate said of each, who was champion when, and what the outcomes say."""
    from automation import models

    with _loop() as loop:
        state = models.state(loop, model)
        grid = _grid(
            f"{model}: champion {state.champion or 'none'}", "version", "", "learner", "trained", "log-loss", "AUC", "gate"
        )
        rows = models.versions(loop, model)
        for row in rows:
            grid.add_row(*_version(row))
        console.print(grid)
        for row in rows:
            if row.decision is not None:
                _say(f"Version {row.version} {'passed' if row.decision.promote else 'did not pass'}", _lines(row.decision))
        _say("Champions, the newest last", _history(loop, model))
        _say_verdict(state, models.compared(loop, model))
        _say("Looked after", _monitored(models.monitored(loop, model)))
        if state.load_error:
            console.print(state.load_error, markup=False)


@models_app.command("check")
def check(model: Name) -> None:
    """Look now at drift and live performance, and say whether a training is due. Nothing is trained by this."""
    from automation import models, monitoring

    with _loop() as loop:
        state = models.state(loop, model)
        found = monitoring.check(loop, model)
        grid = _grid(f"{model} version {found.version}, {found.drift.rows:,} scored", "column", "PSI", "alarm above", "moved most")
        shifts = (*((found.drift.score,) if found.drift.score else ()), *found.drift.inputs)
        for shift in shifts:
            moved = f"{shift.most}: {shift.before:.0%} -> {shift.now:.0%}"
            psi = f"{shift.psi:.3f}{' drift' if shift.drifted else ''}"
            grid.add_row(escape(shift.name), psi, f"{shift.limit:.3f}", escape(moved))
        if shifts:
            console.print(grid)
        _say_verdict(state, found.verdict)
        _say("Looked after", _monitored(models.monitored(loop, model)))


@models_app.command("promote")
def promote(
    model: Name, version: VersionName, force: Annotated[bool, typer.Option("--force", help="Against the gate's decision.")] = False
) -> None:
    """Make a version champion. Running services follow within CHAMPION_POLL_SECONDS, those on this machine at once."""
    from automation import models
    from automation.audit import command_line_actor, recorded

    with _loop() as loop:
        details = {"version": version, "force": force}
        with recorded(loop.database, loop.clock, command_line_actor(), Action.PROMOTE, model, **details):
            found = models.promote(loop, model, version, force=force)
        console.print(f"Version {version} of {model} is champion. Back with: leadloop models rollback {model}", markup=False)
        console.print(f"Before it: {found.previous or 'none'}.")


@models_app.command("rollback")
def rollback(model: Name) -> None:
    """Put the champion before this one back, as it was; nothing is trained."""
    from automation import models
    from automation.audit import command_line_actor, recorded

    with _loop() as loop:
        with recorded(loop.database, loop.clock, command_line_actor(), Action.ROLLBACK, model) as details:
            found = models.rollback(loop, model)
            details["version"] = found.aliases["champion"]
        console.print(f"Version {found.aliases['champion']} of {model} is champion again.", markup=False)


@models_app.command("compare")
def compare(model: Name, first: VersionName, second: VersionName) -> None:
    """Two versions side by side, with intervals, on the newest rows that judged both."""
    from automation import models

    with _loop() as loop:
        found = models.compare(loop, model, first, second)
        grid = _grid(f"{model}, {found.said}", "figure", first, second, f"{second} less {first}")
        for name, figures in _figures(found).items():
            grid.add_row(FIGURES.get(name, name), *figures)
        console.print(grid)


@contextmanager
def _loop() -> "Iterator[Loop]":
    """The loop's parts, without anything running; what MLflow says by now is fetched first."""
    from automation.jobs import champions
    from automation.loop import build_loop
    from data import log
    from data.migrations import upgrade

    settings = load_settings()
    log.configure(json=False, level="ERROR")
    loop = build_loop(settings)
    try:
        upgrade(loop.database)
        with console.status("Asking MLflow ..."):
            champions.pull(loop)
        yield loop
    finally:
        loop.database.dispose()


def _history(loop: "Loop", model: str) -> list[str]:
    from automation import models

    try:
        moves = models.standing(loop, model).moves
    except LeadloopError as error:
        return [error.detail]
    return [f"{move.at:%Y-%m-%d %H:%M} version {move.version} ({move.how})" for move in moves]


def _monitored(found: "Monitored") -> list[str]:
    """The last look and the last training, a line each."""
    lines = []
    if (check := found.check) is None:
        lines.append("not yet: a running service looks by itself, or: leadloop models check MODEL")
    else:
        live = "nothing to compare with" if check.live is None else check.live.said
        lines += [f"{check.at:%Y-%m-%d %H:%M} {check.drift.said}", f"live: {live}", f"training: {check.decided.said}"]
        if check.decided.due_at is not None:
            lines.append(f"by time alone it is trained after {check.decided.due_at:%Y-%m-%d %H:%M}")
    if (last := found.training) is not None:
        became = f"{last.state}{f', version {last.version}' if last.version else ''}{f': {last.error}' if last.error else ''}"
        figures = "; ".join(f"{name.replace('_', '-')} {old:.4f} -> {new:.4f}" for name, (old, new) in last.figures.items())
        lines.append(f"last training {last.started_at:%Y-%m-%d %H:%M} ({last.said}): {became}{f'; {figures}' if figures else ''}")
    return lines


def _version(row: "VersionState") -> tuple[str, ...]:
    gate = "" if row.decision is None else "passed" if row.decision.promote else "refused"
    figures = (_figure(row.metrics.get("log_loss")), _figure(row.metrics.get("auc")))
    return (row.version, ", ".join(row.aliases), row.learner, f"{row.trained_at:%Y-%m-%d %H:%M}", *figures, gate)


def _lines(decision: "Decision") -> list[str]:
    return [*decision.reasons, *decision.notes]


def _figures(found: "Comparison") -> dict[str, tuple[str, str, str]]:
    rows = {name: (_figure(one), _figure(other), "") for name, (one, other) in found.metrics.items()}
    for name, difference in (("log_loss", found.log_loss), ("auc", found.auc)):
        if difference is not None:
            rows[name] = (_figure(difference.champion), _figure(difference.candidate), _interval(difference))
    return {"rows": (f"{found.rows[0]:,}", f"{found.rows[1]:,}", f"{found.common:,} in common"), **rows}


def _interval(found: "Difference") -> str:
    return f"{found.difference:+.5f} [{found.low:+.5f}, {found.high:+.5f}]"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"


def _say_verdict(state: "ModelState", verdict: "Verdict | None") -> None:
    if verdict is not None:
        arms = [f"{arm.variant} {arm.version}: {arm.won} of {arm.outcomes} won" for arm in verdict.arms]
        _say(f"Traffic {_traffic(state)}; {verdict.said}", arms)


def _traffic(state: "ModelState") -> str:
    found = state.traffic
    return "" if found is None or found.mode == "off" else f"{found.mode}, {found.share:.0%} to {found.challenger}"


def _grid(title: str, *columns: str) -> Any:
    grid = Grid(title=title or None)
    for name in columns:
        grid.add_column(name)
    return grid


def _say(title: str, lines: list[str]) -> None:
    console.print(f"{title}:", markup=False, highlight=False)
    for line in lines:
        console.print(f"  {line}", markup=False, highlight=False)
