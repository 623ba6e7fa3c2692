"""`leadloop erase` and `leadloop prune`: the end of what is stored, at once or when its time is over."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperCommand

from scripts.environment import settings_for_command, wrong_is_usage
from scripts.terminal import plain

if TYPE_CHECKING:
    from automation.erasure.report import Report
    from automation.pipeline.context import Loop

REPORT, STDOUT = "--report", "-"
console = Console(soft_wrap=True)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would go, change nothing.")]


def erase(
    email: Annotated[str, typer.Argument(help="The person's e-mail address, current or earlier.")],
    report: Annotated[
        str | None,
        typer.Option(
            REPORT, metavar="[FILE]", help="Tell what was found, removed and left as JSON: in FILE, or printed without one."
        ),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Erase a person: from events, payloads, predictions, deliveries and all that models learn from, and prove it."""
    from automation.erasure import run

    loop = _loop()
    if dry_run:
        with wrong_is_usage():
            would = run.would_erase(loop, email)
        _table("Records that would go", would["records"])
        _table("Cells with an address of theirs", would["found"])
        return
    with wrong_is_usage():
        done = _erased(loop, email)
    if report == STDOUT:
        console.print_json(done.model_dump_json())
        return
    _tell(done)
    if report is not None:
        Path(report).write_text(done.model_dump_json(indent=1) + "\n", "utf-8")
        console.print(f"The report is in {report}; it names nobody.", markup=False)


def prune(dry_run: DryRun = False) -> None:
    """Let go of what has been kept for as long as the RETAIN_ settings say. The worker does so once a day."""
    from automation import audit, retention
    from data.domain.audit import Action

    loop = _loop()
    if dry_run:
        _table("Would go", retention.prune(loop, dry_run=True))
        return
    with audit.recorded(loop.database, loop.clock, audit.command_line_actor(), Action.PRUNE, "retention") as details:
        gone = retention.prune(loop)
        details.update(gone)
    _table("Gone", gone)


class WithReport(TyperCommand):
    """Lets `--report` stand without its FILE, which Typer has no word for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _with_value(args))


def _with_value(args: list[str]) -> list[str]:
    """`--report` with nothing behind it, or another option, gets the value that prints."""
    ours, told = args[: args.index("--")] if "--" in args else args, list[str]()
    for word, following in zip(ours, [*ours[1:], None], strict=True):
        told.append(word)
        if word == REPORT and (following is None or (following.startswith("-") and following != STDOUT)):
            told.append(STDOUT)
    return told + args[len(ours) :]


def _loop() -> "Loop":
    from automation.loop import build_loop
    from data.migrations import upgrade

    loop = build_loop(settings_for_command())
    upgrade(loop.database)
    return loop


def _erased(loop: "Loop", email: str) -> "Report":
    from automation import audit
    from automation.erasure import run
    from automation.jobs.privacy import take_back
    from data.domain.audit import Action
    from data.warehouse.erasures import Origin

    with (
        console.status("Erasing ..."),
        audit.recorded(loop.database, loop.clock, audit.command_line_actor(), Action.ERASE, "a person") as details,
    ):
        erasure_id = run.ask(loop, email, Origin.COMMAND)
        details["erasure_id"] = erasure_id
        run.erase(loop, erasure_id)
        take_back(loop)
        return run.reported(loop, erasure_id)


def _tell(report: "Report") -> None:
    console.print(f"Erasure {report.id}: {report.state}.")
    _table("Records", report.records)
    _table("Cells with an address of theirs, before", report.found)
    _table("Rows removed", report.removed)
    _table("Cells of other records changed", report.changed)
    _table("Payloads", report.payloads)
    _table("Messages in Slack", report.slack)
    searched = ", ".join(f"{count} {what}" for what, count in report.searched.items())
    console.print(f"Searched again: {searched}. Deleted bytes: {report.bytes}.", markup=False)
    if report.shared_addresses:
        console.print(f"{report.shared_addresses} address(es) that others have too were left alone.")
    for left in report.left:
        console.print(f"Left: {plain(left.where)}, {left.rows} row(s): {left.why}", markup=False)
    for name in report.files_changed:
        console.print(f"Changed: {plain(name)}", markup=False)
    if not report.left:
        console.print("Nothing is left here.")
    console.print("Out of reach:", *(f"- {one}" for one in report.out_of_reach), sep="\n", markup=False)
    if report.models:
        console.print(f"Models that may have learned from them: {', '.join(report.models)}", markup=False)


def _table(title: str, counts: dict[str, int]) -> None:
    told = ", ".join(f"{plain(name)} {count}" for name, count in sorted(counts.items()) if count)
    console.print(f"{title}: {told or 'none'}.", markup=False)
