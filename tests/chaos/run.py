"""One run: the same load, calm or under fire, up to the moment at which nothing is pending any more."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlmodel import func, select

from automation.clients.pipedrive import PipedriveClient
from automation.missed import OVERLAP
from automation.sandbox.habits import TABLE, Habits, named
from automation.sandbox.player import echoing
from automation.webhooks import hook_of
from data.db import Database
from data.domain.entity import EntityKind
from data.errors import LeadloopError, VendorError
from data.warehouse import reconciliations
from data.warehouse.entities import EntityRow
from data.warehouse.rounds import RoundRow
from scripts.effects import served_version
from scripts.stand import Stand, stand
from tests.chaos.like_n8n import like_n8n
from tests.chaos.load import Load
from tests.chaos.told import lost_goings
from tests.chaos.truth import Findings, findings, pending
from tests.machine import Machine, Postgres, machine
from tests.support import put_model

# As in a company, only sooner: who died is replaced after seconds instead of a minute.
HASTE = {
    "hot_threshold": "auto", "n8n_grace_seconds": "4", "lease_seconds": "12", "champion_poll_seconds": "3600",
    "reconcile_minutes": "0.5", "reconcile_round_hours": "0.05", "log_level": "WARNING",
    "hubspot_calls_per_10_seconds": "100", "pipedrive_calls_per_2_seconds": "40",  # what the stand-ins allow
}  # fmt: skip
UNLIMITED = {"hubspot_calls_per_10_seconds": "100000", "pipedrive_calls_per_2_seconds": "100000"}  # where they have no limits
HURRY = 10.0  # the vendors' own waits (Pipedrive's retries and bans, an expired token) are so much shorter
ATTEMPTS = 60  # HubSpot goes on for a day; with a second between two tries this is a minute
DOWN_SECONDS = (0.0, 2.0)
AWAY_SECONDS = 15.0  # until somebody notices that Pipedrive has deleted its webhook
QUIET_LOOKS, LOOK_SECONDS = 3, 1.0  # nothing pending, several times over, and no echo under way
# A round leaves out whoever came in the last ten minutes, and the next one begins up to three minutes later. It takes a while.
ROUND_SECONDS = (OVERLAP + timedelta(minutes=5)).total_seconds()
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a run is made of. The same plan draws the same events, habits and kills."""

    events: int
    seed: int = 0
    kills: int = 0
    every_seconds: float = 8.0
    """A kill comes after this long on average."""
    habits: Habits = field(default_factory=Habits)
    misbehaving_n8n: bool = False
    apis: int = 1
    workers: int = 0
    per_second: float | None = None
    patience_seconds: float = 900.0

    def calm(self) -> "Plan":
        """The same events, with nothing going wrong."""
        return replace(self, kills=0, habits=Habits(), misbehaving_n8n=False, per_second=None)


@dataclass
class Outcome:
    """What a run came to."""

    found: Findings
    seconds: float
    sent_in_seconds: float
    killed: list[str]
    mishaps: Mapping[str, int]
    peak_bytes: Mapping[str, int]


def bad_habits(seed: int, *, but: frozenset[str] = frozenset()) -> Habits:
    """Every habit of the vendors', as usual."""
    return named([name for name in TABLE if name not in but], seed=seed, hurry=HURRY)


def run(plan: Plan, folder: Path, *, postgres: bool, say: Say = lambda _line: None) -> Outcome:
    """Plays a plan to its end, and looks at what it came to."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        database = Postgres(folder / "postgres") if postgres else None
        pace = {} if plan.habits.pipedrive_limits else UNLIMITED
        settings = {**HASTE, **pace, **({"database_url": database.url} if database else {})}
        parts = stack.enter_context(stand(folder / "stand", overrides=settings))
        if database is not None:
            stack.callback(database.end)
        put_model(parts.settings.models_dir, rows=20_000)
        load = Load(parts, plan.events, plan.seed, ATTEMPTS, plan.per_second)
        load.define_fields()
        running = stack.enter_context(machine(parts.process_env(), folder, database, apis=plan.apis, workers=plan.workers))
        n8n = stack.enter_context(like_n8n(parts, running.apis, seed=plan.seed, misbehaves=plan.misbehaving_n8n))
        parts.sandbox.set_habits(plan.habits)
        ours = Database(parts.settings.database_url)
        stack.callback(ours.dispose)
        started = time.monotonic()
        with echoing(parts.player, parts.pipedrive):
            with _killing(plan, running, say), _losing_webhook(plan, parts, load, say), load.playing() as all_sent:
                while not all_sent():
                    time.sleep(LOOK_SECONDS)
                    say(f"sent {load.sent:,} of {plan.events:,}, killed {len(running.killed)}")
            load.flush()
            sent_in, sent_at = time.monotonic() - started, parts.sandbox.now()
            _settle(plan, parts, ours, say, sent_at)
        load.flush()  # the last echoes; from here on the ledger stands still
        _settle(plan, parts, ours, say, sent_at)
        found = findings(parts, load, served_version(parts), ours, asked_for=_asked_for(parts, ours, sent_at))
        return Outcome(found, time.monotonic() - started, sent_in, running.killed, dict(n8n.happened), running.peak_bytes)


@contextmanager
def _killing(plan: Plan, running: Machine, say: Say) -> Iterator[None]:
    """Kills parts at random moments until the block ends; what is left of the plan's kills comes at once then."""
    drawn = random.Random(f"{plan.seed}/kills")
    ended = threading.Event()

    def kill_all() -> None:
        for _ in range(plan.kills):
            ended.wait(drawn.expovariate(1 / plan.every_seconds))
            part = drawn.choice(running.parts)
            running.kill(part, down_seconds=drawn.uniform(*DOWN_SECONDS))
            say(f"killed {part.name}")

    thread = threading.Thread(target=kill_all, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def _losing_webhook(plan: Plan, parts: Stand, load: Load, say: Say) -> Iterator[None]:
    """Where Pipedrive bans, it also deletes its webhook, once and midway; somebody sets it up again. What happens meanwhile is told
    to nobody.
    """
    ended = threading.Event()

    def lose() -> None:
        while load.sent < plan.events / 2 and not ended.wait(LOOK_SECONDS):
            pass
        with parts.sandbox.lock:
            parts.sandbox.pipedrive_account.webhooks.clear()
        say("Pipedrive has deleted its webhook")
        ended.wait(AWAY_SECONDS)
        while not _is_set_up(parts):
            time.sleep(LOOK_SECONDS)

    thread = threading.Thread(target=lose, daemon=True)
    if plan.habits.pipedrive_ban:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if plan.habits.pipedrive_ban:
            thread.join()


def _is_set_up(parts: Stand) -> bool:
    """As by `leadloop pipedrive setup`, which may have to be called again."""
    hook = hook_of(parts.settings)
    assert hook is not None
    client = PipedriveClient(parts.sandbox.tokens["pipedrive"], parts.addresses.pipedrive)
    try:
        client.ensure_webhook(hook.address, hook.user, hook.password)
    except VendorError:
        return False
    return True


def _settle(plan: Plan, parts: Stand, database: Database, say: Say, sent_at: datetime) -> None:
    """Waits until nothing is pending, has been so for some looks, and reconciliation has looked at all where something was lost.

    Where a deletion, a restoration or a merge was lost, also that a round has asked for everybody, unless there is no patience for
    it. What is lost after `sent_at` are echoes of our own writes, which tell nothing new.
    """
    deadline = time.monotonic() + plan.patience_seconds
    quiet = 0
    while quiet < QUIET_LOOKS and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        left = _left(database)
        lost = any(ledger.untaken() for ledger in parts.sandbox.ledgers.values())
        waits = lost and not _reconciled(database, sent_at)
        waits = waits or (plan.patience_seconds > ROUND_SECONDS and not _asked_for(parts, database, sent_at))
        quiet = quiet + 1 if not left and not waits else 0
        say(f"pending: {left or 'nothing'}{', reconciliation has not looked at all yet' if waits else ''}")


def _asked_for(parts: Stand, database: Database, sent_at: datetime) -> bool:
    """Whether rounds have asked for everybody, since all was sent, in those CRMs of which a coming or going was lost."""
    with database.read() as session:
        rows = [session.get(RoundRow, (source, EntityKind.CONTACT.value)) for source in lost_goings(parts.sandbox.ledgers)]
        # A round asks for nobody who was heard of first within these minutes; who has come late, last.
        youngest = session.exec(select(func.max(EntityRow.created_at)).where(EntityRow.kind == EntityKind.CONTACT)).one()
        since = max(sent_at, youngest or sent_at) + OVERLAP
        return all(row is not None and row.after is None and row.began_at >= since for row in rows)


def _left(database: Database) -> dict[str, int]:
    try:
        with database.read() as session:
            return pending(session)
    except LeadloopError:
        return {"database": 1}


def _reconciled(database: Database, sent_at: datetime) -> bool:
    with database.read() as session:
        rows = reconciliations.every(session)
    return bool(rows) and all(row.seen_until >= sent_at for row in rows)
