"""`leadloop tokens`, `leadloop audit`: who may call, and who did what."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from data.domain.audit import Action
from data.errors import BadInput
from data.settings import Scope
from scripts.environment import settings_for_command, wrong_is_usage
from scripts.terminal import plain

if TYPE_CHECKING:  # the rooms are imported when a command runs: `--help` should not wait for them
    from automation.tokens import NewToken
    from data.db import Database
    from data.warehouse.api_tokens import ApiToken

tokens_app = typer.Typer(help="API tokens: made, rotated without downtime, revoked.", no_args_is_help=True)
# Where the list goes into a file or another program nothing of it is cut off.
console = Console(width=None if sys.stdout.isatty() else 160)

Name = Annotated[str, typer.Argument(help="What the token is called, as n8n or dashboard.")]


@tokens_app.command("list")
def list_tokens() -> None:
    """Every stored token with its scopes and its last use; never the token itself."""
    from automation import tokens
    from data.clock import SystemClock

    with opened() as database:
        now = SystemClock().now()
        grid = Grid()
        for name in ("name", "scopes", "state", "created", "good until", "last used"):
            grid.add_column(name)
        for row in tokens.listed(database):
            cells = (_when(row.created_at), _when(row.expires_at), _when(row.last_used_at))
            grid.add_row(escape(row.name), " ".join(row.scopes), _state(row, now), *cells)
        console.print(grid)


@tokens_app.command("create")
def create(
    name: Name,
    scopes: Annotated[str, typer.Option(help=f"What it may do, with + between: {', '.join(Scope)}.")],
    lasts: Annotated[str | None, typer.Option(help="How long it is good, as 90d; without it until it is revoked.")] = None,
) -> None:
    """Make a token and show it, this once."""
    from automation import tokens
    from automation.audit import command_line_actor
    from data.clock import SystemClock

    with wrong_is_usage():
        wanted, span = _scopes(scopes), None if lasts is None else tokens.parse_span(lasts)
    with opened() as database, wrong_is_usage():
        made = tokens.create(database, SystemClock(), command_line_actor(), name, wanted, lasts=span)
    _show(made)


@tokens_app.command("rotate")
def rotate(
    name: Name,
    grace: Annotated[str, typer.Option(help="How long the one before still passes: 30m, 24h, 7d; 0 for not at all.")] = "24h",
) -> None:
    """Make a new token by the same name and show it, this once; the one before stays good for the grace."""
    from automation import tokens
    from automation.audit import command_line_actor
    from data.clock import SystemClock

    with wrong_is_usage():
        span = tokens.parse_span(grace)
    with opened() as database:
        made = tokens.rotate(database, SystemClock(), command_line_actor(), name, grace=span)
    _show(made)


@tokens_app.command("revoke")
def revoke(
    name: Name,
    replaced: Annotated[bool, typer.Option("--replaced", help="Only those that a rotation has replaced.")] = False,
) -> None:
    """End a token at once: within five seconds no process lets it pass."""
    from automation import tokens
    from automation.audit import command_line_actor
    from data.clock import SystemClock

    with opened() as database:
        ended = tokens.revoke(database, SystemClock(), command_line_actor(), name, replaced_only=replaced)
    console.print(f"Revoked {ended} token{'s' if ended > 1 else ''} by the name {name}.", markup=False, highlight=False)


def audit(
    action: Annotated[Action | None, typer.Option(help="Only this.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest.")] = 50,
    before: Annotated[int | None, typer.Option(min=1, help="Only those before this row, to page on.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show who did what, when, to what, with what result; the newest last."""
    from automation import audit as trail

    with opened() as database:
        rows = list(trail.listed(database, action=action, limit=limit, before=before))[::-1]
    for row in rows:
        if as_json:
            typer.echo(json.dumps(row.model_dump(mode="json"), ensure_ascii=False))
            continue
        details = " ".join(f"{name}={value}" for name, value in row.details.items())
        line = f"{row.id} {row.at:%Y-%m-%d %H:%M:%S} {row.actor} {row.action} {row.target}: {row.result} {details}"
        console.print(plain(line).rstrip(), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def opened() -> "Iterator[Database]":
    """The database, with its newest schema."""
    from data.db import Database
    from data.migrations import upgrade

    database = Database(settings_for_command().database_url)
    try:
        upgrade(database)
        yield database
    finally:
        database.dispose()


def _scopes(text: str) -> frozenset[Scope]:
    try:
        return frozenset(Scope(part.strip()) for part in text.replace(",", "+").split("+"))
    except ValueError:
        raise BadInput(f"--scopes: {text[:80]!r} has one that there is not; the scopes are {', '.join(Scope)}") from None


def _show(made: "NewToken") -> None:
    """The token alone on standard output, so that it can be piped; what there is to say about it on standard error."""
    said = Console(stderr=True)
    typer.echo(made.token)
    said.print("This is the only time that it is shown.", highlight=False)
    if made.expires_at is not None:
        said.print(f"It is good until {_when(made.expires_at)}.", highlight=False)
    if made.old_good_until is not None:
        said.print(f"The one before it is good until {_when(made.old_good_until)}.", highlight=False)


def _state(row: "ApiToken", now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    if not row.is_good(now):
        return "expired"
    return "replaced, still good" if row.replaced_at is not None else "good"


def _when(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"
