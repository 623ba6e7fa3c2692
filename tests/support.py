"""What the tests share: a clock that stands still, a service on a real socket, a small trained model."""

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from sqlmodel import Session, col, select

from api.server import options_for
from data.clock import SystemClock
from data.settings import Scope, Settings
from data.warehouse.predictions import PredictionRow
from ml.learners.base import Boosted
from ml.models.lead_score import MODEL
from ml.training import samples
from ml.training.train import Trained, save_trained, train
from ml.version import CHAMPION, Version, load, save, write_atomically

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HUBSPOT_SECRET = "hubspot-client-secret"
HUBSPOT_URL = "https://hooks.example.com/webhook/hubspot-events"
PIPEDRIVE_USER, PIPEDRIVE_PASSWORD = "pipedrive", "pipedrive-password"
TOKENS = {scope: f"token-for-{scope}" for scope in Scope}
HOT = {"sessions": 5, "engaged_sessions": 5, "page_views": 16, "channel": "referral", "is_first_visit": False}
COLD = {"sessions": 1, "engaged_sessions": 0, "page_views": 1, "channel": "display", "is_first_visit": True}
_ids = itertools.count(1)


class FakeClock:
    """Stands still until it is moved, unless it is told to follow the machine's."""

    def __init__(self, now: datetime = NOON) -> None:
        self._stands_at: datetime | None = now
        self._ahead = timedelta()

    def now(self) -> datetime:
        return (self._stands_at or datetime.now(UTC)) + self._ahead

    def follow_the_machine(self) -> None:
        """For events that are signed and dated elsewhere, now. Moved, it goes on ahead of the machine's."""
        self._stands_at, self._ahead = None, timedelta()

    def move(self, **parts: float) -> None:
        self._ahead += timedelta(**parts)


def settings_for(folder: Path, **overrides: Any) -> Settings:
    """Settings that read neither the environment's file nor leave the folder."""
    defaults: dict[str, Any] = {
        "database_url": f"sqlite:///{folder / 'leadloop.db'}",
        "mlflow_tracking_uri": f"sqlite:///{folder / 'mlflow.db'}",
        "var_dir": folder,
        "api_tokens": ",".join(f"{token}:{scope}" for scope, token in TOKENS.items()),
        "hubspot_client_secret": HUBSPOT_SECRET,
        "hubspot_webhook_url": HUBSPOT_URL,
        "pipedrive_webhook_user": PIPEDRIVE_USER,
        "pipedrive_webhook_password": PIPEDRIVE_PASSWORD,
        "hot_threshold": 0.5,
    }
    return Settings(_env_file=None, **(defaults | overrides))  # type: ignore[call-arg]


def bearer(scope: Scope) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[scope]}"}


def put_model(models_dir: Path, *, rows: int = 6_000, seed: int = 0, version: str = "1") -> None:
    """Trains the lead score on a small table and puts it where serving looks, without MLflow."""
    sample = samples.lead_score(seed, rows)
    booster = replace(sample.model, learners={"xgb": sample.model.learners["xgb"]})
    trained = train(booster, sample.table, data_hash=sample.data_hash, now=SystemClock().now(), seed=seed)
    folder = models_dir / MODEL.name / version
    folder.mkdir(parents=True, exist_ok=True)
    card = trained.card.model_copy(update={"version": version})
    save_trained(replace(trained, version=Version(card, trained.version.scorer)), folder)
    write_atomically(models_dir / MODEL.name / CHAMPION, version)


def put_champion(trained: Trained, models_dir: Path) -> None:
    """Puts what was trained where serving looks, as version 1."""
    folder = models_dir / trained.card.model / "1"
    folder.mkdir(parents=True)
    save(Version(trained.card.model_copy(update={"version": "1"}), trained.version.scorer), folder)
    write_atomically(folder.parent / CHAMPION, "1")


def put_variation(original: Path, folder: Path, *, trees: int) -> Path:
    """Another version of an XGBoost one: the same with only its first trees, under the name of its folder."""
    version = load(original)
    (member,) = version.scorer.members
    scorer = replace(version.scorer, members=(replace(member, fitted=cast(Boosted, member.fitted).cut(trees)),))
    folder.mkdir(parents=True)
    save(Version(version.card.model_copy(update={"version": folder.name}), scorer), folder)
    return folder


def generic(entity: str = "ada@example.com", *, at: datetime = NOON, key: str | None = None, **properties: Any) -> dict[str, Any]:
    """One item of the generic source: a changed contact."""
    return {
        "id": key or f"event-{next(_ids)}",
        "type": "contact.changed",
        "occurred_at": at.isoformat(),
        "entity": {"kind": "contact", "id": entity},
        "properties": properties or HOT,
    }


def newest_prediction(session: Session, entity_id: int, model: str) -> PredictionRow | None:
    """The prediction of the entity's newest event."""
    query = select(PredictionRow).where(PredictionRow.entity_id == entity_id, PredictionRow.model == model)
    return session.exec(query.order_by(col(PredictionRow.occurred_at).desc(), col(PredictionRow.event_id).desc())).first()


def until(said: str, done: Callable[[], bool], *, seconds: float = 30) -> None:
    """Waits for what comes about elsewhere; the limit is only there so that a test that hangs ends."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, said
        time.sleep(0.02)


@contextmanager
def serving(app: FastAPI, **overrides: Any) -> Iterator[str]:
    """The app on a real socket, as the command serves it; yields its address. `overrides`: uvicorn's options."""
    # The protocol by name: asyncio sets TCP_NODELAY only where it is given, and without it each answer waits 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.bind(("127.0.0.1", 0))
    options = options_for(Settings(_env_file=None)) | overrides  # type: ignore[call-arg]
    server = uvicorn.Server(uvicorn.Config(app, timeout_graceful_shutdown=1, **options))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[sock])), daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the service did not start")
        threading.Event().wait(0.01)
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
