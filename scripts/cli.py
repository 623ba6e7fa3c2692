"""`leadloop`: the command line. Thin: it reads options, calls the rooms, and prints."""

import csv
import errno
import re
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from data.errors import LeadloopError
from data.redaction import redacted
from ml.version import LONGEST_NAME, is_plain
from scripts.access import audit, tokens_app
from scripts.connections import hubspot_app, n8n_app, pipedrive_app
from scripts.environment import Usage, settings_for_command
from scripts.models import models_app
from scripts.privacy import WithReport, erase, prune
from scripts.storage import backfill, backup, export, import_file, replay, restore
from scripts.terminal import plain

app = typer.Typer(
    help="CRM event in, hot lead in Slack and score on the CRM record: predictive sales on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(n8n_app, name="n8n")
app.add_typer(hubspot_app, name="hubspot")
app.add_typer(pipedrive_app, name="pipedrive")
app.add_typer(models_app, name="models")
app.add_typer(tokens_app, name="tokens")
app.command()(audit)
app.command(cls=WithReport)(erase)
app.command()(prune)
app.command()(backfill)
app.command(name="import")(import_file)
app.command()(replay)
app.command()(export)
app.command()(backup)
app.command()(restore)

console = Console()
errors = Console(stderr=True)

OWN_TABLE_BUDGET = 30.0  # seconds: what a person waits for without asking why


Seed = Annotated[int, typer.Option(help="Same seed, same result.")]


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False) -> None:
    """Options of all commands."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes; more than one needs PostgreSQL.")] = 1,
) -> None:
    """Run the API and the first page; on SQLite also the scheduler and the worker, in one process."""
    import uvicorn

    from api.server import options_for

    settings = settings_for_command(logs=True)
    if workers > 1 and settings.is_sqlite:
        raise Usage("--workers above 1 needs PostgreSQL: SQLite has one writer. Set LEADLOOP_DATABASE_URL.")
    if not settings.tokens:
        errors.print("LEADLOOP_API_TOKENS is empty, so only tokens made with `leadloop tokens create` are let in.", markup=False)
    uvicorn.run("api.app:from_environment", factory=True, host=host, port=port, workers=workers, **options_for(settings))


@app.command()
def worker(check: Annotated[bool, typer.Option("--check", help="Only say whether the worker here is alive.")] = False) -> None:
    """Run the scheduler and worker alone; on PostgreSQL any number of them."""
    from automation.jobs import process

    if check:
        process.check(settings_for_command())
    else:
        process.run_worker(settings_for_command(logs=True))


@app.command()
def train(
    model: Annotated[str | None, typer.Argument(help="lead_score; not with --csv.")] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Train on the generated table.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Train on your own table: CSV (also .gz, .zip) or Parquet.")] = None,
    target: Annotated[str | None, typer.Option(help="The column of --csv that says how each row turned out.")] = None,
    time: Annotated[
        str | None, typer.Option(help="The column of --csv that says when; without it the first row is taken as the oldest.")
    ] = None,
    id: Annotated[
        str | None, typer.Option(help="The column of --csv that names the customer; it names the rows of a score too.")
    ] = None,
    closed: Annotated[
        str | None,
        typer.Option(help="The column of --csv that says when the outcome was known; dates from then on are left out."),
    ] = None,
    drop: Annotated[str, typer.Option(help="Columns to leave out, as what is known only after the outcome: A,B.")] = "",
    keep: Annotated[str, typer.Option(help="Columns to keep although they seem to know the answer: A,B.")] = "",
    category: Annotated[str, typer.Option(help="Columns of numbers that are codes, not amounts, as regions: A,B.")] = "",
    name: Annotated[str | None, typer.Option(help="What to call the model; without it as the file of --csv.")] = None,
    budget: Annotated[
        float | None, typer.Option(min=0, help="Seconds for tuning; 0 tunes nothing. Without it 30, with --sample 0.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Train a model, log it to MLflow, and make it champion if it is no worse than the one that serves."""
    from ml.tables.table import Choice
    from scripts import training

    settings = settings_for_command()
    if csv is not None:
        if not target:
            raise Usage("--csv needs --target COLUMN: the column that says how each row turned out")
        if model is not None:
            raise Usage(f"either {model} or --csv, not both; --name says what to call a model of your own table")
        choice = Choice(target, time, id, closed, _listed(drop), _listed(keep), _listed(category))
        seconds = OWN_TABLE_BUDGET if budget is None else budget
        training.train_csv(settings, csv, choice, name=_name_for(name, csv), budget_seconds=seconds, seed=seed, console=console)
        return
    if model is None:
        raise Usage("name a model (lead_score), or a table with --csv")
    if not sample:
        training.train_warehouse(
            settings, model, keep=_listed(keep), budget_seconds=OWN_TABLE_BUDGET if budget is None else budget, seed=seed,
            console=console,
        )  # fmt: skip
        return
    training.train_sample(settings, model, seed=seed, console=console, budget_seconds=budget or 0.0)


@app.command()
def score(
    csv: Annotated[Path, typer.Option(help="The table to score: CSV (also .gz, .zip) or Parquet.")],
    name: Annotated[str, typer.Option(help="The model, as it was called in training.")],
    out: Annotated[Path, typer.Option(help="Where to write: OUT.csv or OUT.parquet. What is there is replaced.")],
    id: Annotated[
        str | None, typer.Option(help="The column that names the rows; without it the --id of training, else the row's number.")
    ] = None,
) -> None:
    """Score every row of a table by a model's champion, with the five strongest factors of each."""
    from scripts.scoring import score_csv

    score_csv(settings_for_command(), csv, _checked_name(name), out, id_column=id, console=console)


@app.command()
def rescore(
    model: Annotated[str | None, typer.Option(help="Which model; without it the one that scores leads.")] = None,
) -> None:
    """Score everything open anew, and write back what has changed, in batches."""
    from scripts.rescoring import run_rescore

    run_rescore(settings_for_command(), model, console)


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Check settings, connections, permissions and webhooks, and say what to do. Changes nothing; status 1 if something is bad."""
    from scripts.doctor import run_doctor

    raise typer.Exit(0 if run_doctor(settings_for_command(), console, as_json=as_json) else 1)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End when all has arrived; status 0 only if it did.")] = False,
    events: Annotated[int, typer.Option(min=1, max=20_000, help="How many events (or rows of --csv) to play.")] = 300,
    csv: Annotated[Path | None, typer.Option(help="Play your own table instead of the synthetic CRM.")] = None,
    target: Annotated[str | None, typer.Option(help="The column of --csv to predict.")] = None,
    time: Annotated[str | None, typer.Option(help="The column of --csv to order rows by.")] = None,
    drop: Annotated[str, typer.Option(help="Columns of --csv to leave out: A,B.")] = "",
    seed: Seed = 0,
) -> None:
    """Run the whole loop on this machine: service, stand-in CRM and Slack, a trained model, a real n8n."""
    from scripts.demo import OwnTable, run_demo

    own = None
    if csv is not None:
        if not target:
            raise Usage("--csv needs --target COLUMN")
        own = OwnTable(csv, target, time, _listed(drop))
    raise typer.Exit(0 if run_demo(once=once, events=events, own=own, seed=seed, console=console) else 1)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="Port of the page and the vendors' APIs.")] = 8025,
    play: Annotated[int, typer.Option(min=0, help="How many HubSpot events of the synthetic CRM to play.")] = 0,
    to: Annotated[str, typer.Option(help="Where to send them: the address that HubSpot would call and sign.")] = "",
    secret: Annotated[str, typer.Option(help="What to sign them with: your LEADLOOP_HUBSPOT_CLIENT_SECRET.")] = "",
    habits: Annotated[str, typer.Option(help="Bad habits to switch on: all, or names with commas between; list says which.")] = "",
    seed: Seed = 0,
) -> None:
    """Run the stand-in HubSpot, Pipedrive and Slack alone, until Ctrl-C; with --play they send signed events too.

    With --habits they answer and send as badly as the real ones at their worst; which request is hit is drawn by --seed.
    """
    from scripts.sandbox import Playing, chosen_habits, list_habits, run_sandbox

    if habits == "list":
        list_habits(console)
        return
    if play and not (to and secret):
        raise Usage("--play needs --to ADDRESS and --secret SECRET")
    try:
        chosen = chosen_habits(habits, seed)
    except ValueError as error:
        raise Usage(f"--habits: {error}") from None
    run_sandbox(port, console, Playing(play, to, secret, seed) if play else None, chosen)


def main() -> None:
    """Status 0, 1 (failed) or 2 (bad usage); an error is one line, unless --debug."""
    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    try:
        status = app(standalone_mode=False)
    except (typer.TyperException, typer.Abort, KeyboardInterrupt, LeadloopError, OSError, ImportError) as error:
        message, status = _told(error)
        _print_traceback() if debug else _print_line(message)
    except Exception:
        _print_traceback()  # our fault, so all of it is shown; but its secrets
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


def _print_line(message: str) -> None:
    errors.print(f"leadloop: {plain(redacted(message))}", markup=False, highlight=False, soft_wrap=True)


def _print_traceback() -> None:
    sys.stderr.write(redacted(traceback.format_exc()))


def _told(error: BaseException) -> tuple[str, int]:
    """An error as one line and an exit status."""
    if isinstance(error, typer.TyperException):
        return error.format_message(), error.exit_code
    if isinstance(error, typer.Abort | KeyboardInterrupt):
        return "interrupted", 130
    if isinstance(error, LeadloopError):
        return error.detail, 2 if isinstance(error, Usage) else 1
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return f"the disk takes no more ({error.strerror}); make room and try again. What was served before goes on", 1
    return f"{type(error).__name__}: {error}", 1


def _listed(names: str) -> tuple[str, ...]:
    """Names between commas; one with a comma in it stands between quotation marks, as in a CSV file."""
    return tuple(part.strip() for row in csv.reader([names], skipinitialspace=True) for part in row if part.strip())


def _name_for(name: str | None, csv: Path) -> str:
    """The given name, or the file's."""
    return _checked_name(_plain_name(csv.name.partition(".")[0]) or "own_table" if name is None else name)


def _checked_name(name: str) -> str:
    if not is_plain(name):
        instead = f", as {_plain_name(name)}" if _plain_name(name) else ""
        raise Usage(f"--name may have letters, digits, - and _ only, {LONGEST_NAME} at most{instead}")
    return name


def _plain_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_")[:LONGEST_NAME]


if __name__ == "__main__":
    main()
