"""`leadloop sandbox`: the stand-ins alone, and events from them to wherever they are wanted."""

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from automation.clients.hubspot import HubSpotClient
from automation.record_fields import HUBSPOT_PROPERTIES
from automation.sandbox.habits import TABLE, Habits, named
from automation.sandbox.player import HubSpotPlayer, echoing
from automation.sandbox.server import Addresses, running
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind
from scripts.play import play_world
from scripts.stand import CHANNEL, free_port
from scripts.terminal import end_tidily, progress_bar, until_interrupted

# Fixed words: the stand-ins hold no data of anybody's and listen on loopback only.
HUBSPOT, PIPEDRIVE, SLACK = "sandbox-hubspot", "sandbox-pipedrive", "sandbox-slack"


@dataclass(frozen=True)
class Playing:
    """What the stand-in HubSpot sends, where to, and signed with what."""

    events: int
    url: str
    secret: str
    seed: int


def run_sandbox(port: int, console: Console, playing: Playing | None = None, habits: Habits | None = None) -> None:
    """Runs until Ctrl-C; says how to point Leadloop and n8n here, and which bad habits are on."""
    end_tidily()
    box = Sandbox(hubspot_token=HUBSPOT, pipedrive_token=PIPEDRIVE, slack_token=SLACK, channels=(CHANNEL,), habits=habits)
    with tempfile.TemporaryDirectory() as folder, running(box, Path(folder), port=free_port(port)) as addresses:
        for name, line in (
            ("What was received", f"{addresses.base_url}/"),
            ("HubSpot", f"LEADLOOP_HUBSPOT_BASE_URL={addresses.hubspot} LEADLOOP_HUBSPOT_TOKEN={HUBSPOT}"),
            ("Pipedrive", f"LEADLOOP_PIPEDRIVE_BASE_URL={addresses.pipedrive} LEADLOOP_PIPEDRIVE_API_TOKEN={PIPEDRIVE}"),
            ("Slack", f"LEADLOOP_SLACK_BASE_URL={addresses.slack} LEADLOOP_SLACK_TOKEN={SLACK}"),
            ("Hunter", f"LEADLOOP_HUNTER_BASE_URL={addresses.hunter} LEADLOOP_HUNTER_API_KEY={box.tokens['hunter']}"),
            ("Clearbit", f"LEADLOOP_CLEARBIT_BASE_URL={addresses.clearbit} LEADLOOP_CLEARBIT_API_KEY={box.tokens['clearbit']}"),
            ("For n8n's nodes", f"HTTPS_PROXY={addresses.proxy_url} NODE_EXTRA_CA_CERTS={addresses.ca_file}"),
            ("Bad habits", ", ".join(box.habits.on()) or "none"),
        ):
            console.print(f"{name:20}{line}", highlight=False, soft_wrap=True)
        if playing is None:
            until_interrupted()
            return
        with echoing(play(box, addresses, playing, console)):
            until_interrupted()


def play(box: Sandbox, addresses: Addresses, playing: Playing, console: Console) -> HubSpotPlayer:
    """Plays the synthetic CRM as HubSpot would, and says how it was answered."""
    HubSpotClient(HUBSPOT, addresses.hubspot).ensure_properties(EntityKind.CONTACT, HUBSPOT_PROPERTIES)
    player = HubSpotPlayer(box, playing.url, playing.secret)
    with progress_bar(console, "Playing CRM events", playing.events) as progress:
        play_world(player, events=playing.events, seed=playing.seed, progress=progress)
    counts = Counter(player.played.statuses)
    console.print("Answers: " + ", ".join(f"{status or 'none'} {count} times" for status, count in sorted(counts.items())))
    return player


def chosen_habits(given: str, seed: int) -> Habits:
    """The bad habits that a user names.

    Raises:
        ValueError: there is no such habit.
    """
    return named((name.strip() for name in given.split(",") if name.strip()), seed=seed)


def list_habits(console: Console) -> None:
    for name, habit in TABLE.items():
        usual = "on" if habit.usual is True else f"{habit.usual:g}"
        console.print(f"{name:20}{usual:>6}  {habit.means}", highlight=False, soft_wrap=True)
