"""Checks of what is on this machine: settings, database, disk, models, the processes, and what waits."""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta

import httpx

from automation.doctor.findings import Finding, absent, bad, in_words, ok, warning
from automation.jobs import heartbeat
from automation.pipeline.context import Loop
from data.migrations import head
from data.settings import ROOT, Scope, Settings
from data.warehouse import api_tokens, census, dead_letters, reconciliations, rounds
from ml import tracking

LEAST_ROOM_MIB, SMALL_ROOM_MIB = 200, 2_000
LATE, MUCH_TOO_LATE = timedelta(minutes=10), timedelta(hours=2)
FOR_N8N = "+".join((Scope.COLLECT, Scope.SCORE, Scope.PREDICTIONS, Scope.ACTIVATE))
SECONDS = 3.0  # that a process of ours has for an answer


def settings(_loop: Loop) -> Iterator[Finding]:
    """Who may read the secrets."""
    env = ROOT / ".env"
    if env.is_file() and env.stat().st_mode & 0o077:
        yield warning("settings", f"{env.name} can be read by others on this machine", "chmod 600 .env")
    else:
        yield ok("settings", f"nobody else may read {env.name}")


def tokens(loop: Loop) -> Iterator[Finding]:
    """Whether anybody may call at all."""
    now = loop.clock.now()
    with loop.database.read() as session:
        rows = api_tokens.listed(session)
    if loop.settings.tokens or any(row.is_good(now) for row in rows):
        yield ok("tokens", "there are tokens for the API")
        return
    expired = [row.name for row in rows if row.revoked_at is None and row.replaced_at is None]  # its name is taken
    remedy = f"`leadloop tokens rotate {expired[0]}`" if expired else f"`leadloop tokens create n8n --scopes {FOR_N8N}`"
    yield bad("tokens", "no token is good, so nobody may call the API", remedy)


def database(loop: Loop) -> Iterator[Finding]:
    """Whether it answers, and has the schema of this version."""
    kind = "SQLite" if loop.database.is_sqlite else "PostgreSQL"
    with loop.database.read() as session:
        found = census.schema(session)
    if found is None:
        yield bad("database", f"{kind} answers and is empty", "`leadloop serve` makes the tables")
    elif found != head():
        yield bad("database", f"{kind} is at schema {found}, this version needs {head()}", "`leadloop serve` migrates it")
    else:
        yield ok("database", f"{kind}, schema {found}")


def disk(loop: Loop) -> Iterator[Finding]:
    place = loop.settings.var_dir
    free = shutil.disk_usage(place if place.is_dir() else ROOT).free / 2**20
    said = f"{free / 1024:,.1f} GiB are free where {place.name} lies"
    remedy = "make room; shorter LEADLOOP_RETAIN_ settings and `leadloop prune` help"
    if free < LEAST_ROOM_MIB:
        yield bad("disk", said, remedy)
    elif free < SMALL_ROOM_MIB:
        yield warning("disk", said, remedy)
    else:
        yield ok("disk", said)


def models(loop: Loop) -> Iterator[Finding]:
    """Whether there is somebody to score."""
    wanted, served = loop.settings.lead_model, loop.predictor.served()
    for error in loop.predictor.load_errors():
        yield bad("models", f"{error.model} version {error.version} does not load: {error.reason}",
                  f"`leadloop models rollback {error.model}`")  # fmt: skip
    if wanted in served:
        yield ok("models", f"{wanted} version {served[wanted].card.version} serves")
    else:
        yield bad("models", f"{wanted} has no champion: events wait", f"`leadloop train {wanted} --sample` to begin with")


def mlflow(loop: Loop) -> Iterator[Finding]:
    """What was promoted elsewhere, and training, need it; scoring does not."""
    tracking.connect(
        loop.settings.mlflow_tracking_uri, loop.settings.mlflow_artifacts_dir
    ).MlflowClient().search_registered_models()
    yield ok("mlflow", "answers")


def service(loop: Loop) -> Iterator[Finding]:
    """Whether it answers at the address that others are given."""
    url = loop.settings.public_url.rstrip("/")
    try:
        answer = httpx.get(f"{url}/health/ready", timeout=SECONDS)
    except httpx.HTTPError as error:
        yield bad("service", f"nobody answers at {url}: {type(error).__name__}", "`leadloop serve`, or correct LEADLOOP_PUBLIC_URL")
        return
    if answer.status_code == httpx.codes.OK:
        yield ok("service", f"ready at {url}")
    else:
        yield bad("service", f"{url} answers {answer.status_code}", "its log says why")


def worker(loop: Loop) -> Iterator[Finding]:
    """On SQLite it is part of the service."""
    if loop.database.is_sqlite:
        yield ok("worker", "runs within the service on SQLite")
        return
    age = heartbeat.age(loop.settings)
    if age is not None:
        yield ok("worker", f"was alive {age:.0f} s ago")
    else:
        yield warning("worker", "none has shown signs of life on this machine", "`leadloop worker`, unless it runs elsewhere")


def n8n(loop: Loop) -> Iterator[Finding]:
    """Whether it answers where we would start it."""
    if "n8n" not in _carriers(loop.settings):
        yield absent("n8n", "carries nothing: the worker does")
        return
    url = f"http://127.0.0.1:{loop.settings.n8n_port}/healthz"
    try:
        answers = httpx.get(url, timeout=SECONDS, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        answers = False
    if answers:
        yield ok("n8n", f"answers at port {loop.settings.n8n_port}")
    else:
        yield warning("n8n", f"does not answer at port {loop.settings.n8n_port} of this machine; the worker takes over",
                      "`leadloop n8n start`, unless it runs elsewhere")  # fmt: skip


def waiting(loop: Loop) -> Iterator[Finding]:
    """What has not come to its end, and for how long."""
    now = loop.clock.now()
    with loop.database.read() as session:
        found, letters = census.waiting(session), dead_letters.open_count(session)
    for what, (count, since) in found.items():
        yield _age(f"waiting {what}", count, since, now)
    if letters:
        yield warning(
            "dead letters", f"{letters:,} were set aside", "`leadloop replay --dead-letters --dry-run`; GET /dead-letters"
        )
    else:
        yield ok("dead letters", "none is open")


def reconciliation(loop: Loop) -> Iterator[Finding]:
    """Whether what webhooks miss is looked for, and how much that is."""
    now, every = loop.clock.now(), timedelta(minutes=loop.settings.reconcile_minutes)
    with loop.database.read() as session:
        rows = reconciliations.every(session)
        by_rounds = {source: rounds.found_ever(session, source) for source in loop.clients.crms}
    for source in loop.clients.crms:
        its = [row for row in rows if row.source == source]
        looked, refused = (
            [row.looked_at for row in its if row.refused is None],
            [row.kind for row in its if row.refused is not None],
        )
        missed, but = (
            by_rounds[source] + sum(row.missed_ever for row in its),
            f", but for {', '.join(refused)}: refused" if refused else "",
        )
        if refused and not looked:
            yield warning(f"reconciliation {source}", "every kind of records is refused", "the scopes of its token")
        elif not looked:
            yield absent(f"reconciliation {source}", "has not looked yet", "a minute after the worker has started it does")
        elif now - min(looked) > 3 * every:
            yield warning(f"reconciliation {source}", f"last looked at all {in_words(now - min(looked))} ago",
                          "the worker's log says why: reconcile.look.failed")  # fmt: skip
        else:
            yield ok(
                f"reconciliation {source}", f"looked {in_words(now - min(looked))} ago{but}; {missed:,} missed events found so far"
            )


def _carriers(given: Settings) -> set[str]:
    return {given.deliver_hubspot, given.deliver_pipedrive, given.deliver_slack}


def _age(check: str, count: int, since: datetime | None, now: datetime) -> Finding:
    if not count or since is None:
        return ok(check, "nothing")
    said = f"{count:,}, the oldest for {in_words(now - since)}"
    remedy = "is the worker alive? GET /deliveries and the log say what each waits for"
    if now - since > MUCH_TOO_LATE:
        return bad(check, said, remedy)
    return warning(check, said, remedy) if now - since > LATE else ok(check, said)
