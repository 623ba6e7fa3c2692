"""`leadloop n8n`, `leadloop hubspot`, `leadloop pipedrive`: what is set up once, on the other side of the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from data.domain.audit import Action
from data.errors import LeadloopError
from data.settings import Settings
from scripts.environment import settings_for_command

if TYPE_CHECKING:
    from data.db import Database

n8n_app = typer.Typer(help="The pinned n8n: install it, import the workflows, start it.", no_args_is_help=True)
hubspot_app = typer.Typer(help="Your HubSpot account.", no_args_is_help=True)
pipedrive_app = typer.Typer(help="Your Pipedrive account.", no_args_is_help=True)
console = Console()

PATIENCE_SECONDS = 60.0  # for a turn among a service's calls: longer than that a person takes for stuck

# What a private app is subscribed to: every topic is understood, and these are of use.
TOPICS = (
    "contact: creation, deletion, privacyDeletion, merge, restore, associationChange, and propertyChange of what models read",
    "company, deal: creation, deletion, merge, restore, associationChange, propertyChange",
    "lead, ticket (as objects): creation, deletion, merge, restore, associationChange, propertyChange",
    "note, call, meeting, email, task (as objects): creation, deletion, restore, associationChange, propertyChange",
)


@hubspot_app.command("setup")
def hubspot_setup() -> None:
    """Create the property group and the predicted_ properties of contacts; say which webhooks to subscribe to."""
    from automation.record_fields import HUBSPOT_PROPERTIES
    from automation.webhooks import hubspot_address

    settings = settings_for_command()
    _wanted(settings.hubspot_token.get_secret_value(), "LEADLOOP_HUBSPOT_TOKEN")
    with _opened(settings) as database, _recorded(database, "HubSpot's properties") as details:
        details["created"] = _create_fields(_crm(settings, database, "hubspot"), HUBSPOT_PROPERTIES)
    console.print(
        f"In the private app, under Webhooks, send to {hubspot_address(settings)} (HubSpot has no API for this):", markup=False
    )
    for names in TOPICS:
        console.print(f"  {names}", markup=False)


@pipedrive_app.command("setup")
def pipedrive_setup() -> None:
    """Create the predicted_ fields of persons, and the webhook that tells everything."""
    from automation.record_fields import PIPEDRIVE_FIELDS
    from automation.webhooks import hook_of

    settings = settings_for_command()
    _wanted(settings.pipedrive_api_token.get_secret_value(), "LEADLOOP_PIPEDRIVE_API_TOKEN")
    _wanted(settings.pipedrive_webhook_user, "LEADLOOP_PIPEDRIVE_WEBHOOK_USER")
    _wanted(settings.pipedrive_webhook_password.get_secret_value(), "LEADLOOP_PIPEDRIVE_WEBHOOK_PASSWORD")
    hook = hook_of(settings)
    assert hook is not None
    with _opened(settings) as database, _recorded(database, "Pipedrive's fields and webhook") as details:
        client = _crm(settings, database, "pipedrive")
        details["created"] = _create_fields(client, PIPEDRIVE_FIELDS)
        details["webhook_created"] = made = client.ensure_webhook(hook.address, hook.user, hook.password)
    console.print(f"{'Pipedrive tells' if made else 'Pipedrive told already'} everything to {hook.address}", markup=False)


@n8n_app.command("install")
def n8n_install() -> None:
    """Install the pinned n8n into your cache (2 GB, some minutes, once)."""
    from automation import n8n

    console.print(f"n8n is in {n8n.install(console.print)}", markup=False)


@n8n_app.command("import")
def n8n_import() -> None:
    """Import credentials and workflows, with address and secrets filled in, and publish them."""
    from automation import n8n

    settings = settings_for_command()
    n8n.install(console.print)
    place = n8n.Place(settings.var_dir / "n8n", settings.n8n_port)
    with (
        _opened(settings) as database,
        _recorded(database, "n8n's workflows"),
        n8n.database(place) as db,
        console.status("Importing ..."),
    ):
        names = n8n.import_workflows(settings, place, db, service_url=settings.public_url)
    console.print(f"Imported {', '.join(names)}; published {', '.join(n8n.PUBLISHED)}. Start it with: leadloop n8n start")


@n8n_app.command("render")
def n8n_render(to: Annotated[Path, typer.Option(help="A folder for credentials.json and workflows.json.")]) -> None:
    """Write what `import` would import, for an n8n elsewhere. The credentials are in clear: remove them after use."""
    from automation import n8n

    settings = settings_for_command()
    with _opened(settings) as database, _recorded(database, "n8n's workflows and credentials, as files"):
        paths = n8n.render(settings, to, service_url=settings.public_url)
    console.print(f"Wrote {', '.join(str(path) for path in paths)}", markup=False)


@n8n_app.command("start")
def n8n_start() -> None:
    """Run n8n in the foreground, on a PostgreSQL of its own."""
    from automation import n8n

    settings = settings_for_command()
    n8n.install(console.print)
    place = n8n.Place(settings.var_dir / "n8n", settings.n8n_port)
    with n8n.database(place) as db:
        console.print(f"n8n: {place.url}")
        raise typer.Exit(n8n.run(place, db))


@contextmanager
def _opened(settings: Settings) -> "Iterator[Database]":
    """The database, with its newest schema."""
    from data.db import opened
    from data.migrations import upgrade

    with opened(settings.database_url) as database:
        upgrade(database)
        yield database


@contextmanager
def _recorded(database: "Database", target: str) -> Iterator[dict[str, Any]]:
    """The command in the audit trail, however it ends."""
    from automation import audit
    from data.clock import SystemClock

    with audit.recorded(database, SystemClock(), audit.command_line_actor(), Action.SETUP, target) as details:
        yield details


def _crm(settings: Settings, database: "Database", source: str) -> Any:
    """Its client, within the limits that a running service uses up, too."""
    from automation.clients.pace import SharedPace
    from automation.clients.registry import build_clients
    from data.clock import SystemClock

    return build_clients(settings, SharedPace(database, SystemClock(), PATIENCE_SECONDS)).crms[source]


def _create_fields(crm: Any, fields: Any) -> list[str]:
    from data.domain.entity import EntityKind

    made: list[str] = crm.ensure_properties(EntityKind.CONTACT, fields)
    console.print(f"Created: {', '.join(made) or 'nothing, all was there'}.")
    return made


def _wanted(value: str, name: str) -> None:
    if not value:
        raise LeadloopError(f"{name} is not set: put it into the environment or into .env")
