"""Puts the loop together from the settings: the composition root of everything behind the edge."""

import gc

from automation.clients.pace import SharedPace
from automation.clients.registry import build_clients
from automation.pipeline.context import Loop
from data.clock import Clock, SystemClock
from data.db import Database
from data.settings import Settings
from ml.serving.predictor import Predictor


def build_loop(settings: Settings, *, clock: Clock | None = None) -> Loop:
    """Nothing is opened and nothing is sent yet."""
    predictor = Predictor(settings.models_dir, hot_threshold=settings.hot_threshold, hot_share=settings.hot_share)
    database, time = Database(settings.database_url), clock or SystemClock()
    return Loop(settings, database, time, predictor, build_clients(settings, SharedPace(database, time)))


def freeze() -> None:
    """Takes what is loaded by now, which stays to the end, out of the garbage collector's rounds.

    It would look through all of it every few seconds under load, and nobody is answered meanwhile.
    """
    gc.collect()
    gc.freeze()
