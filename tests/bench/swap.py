"""The first answers after a change of champions against the usual ones: warming should leave no difference."""

import itertools
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from api.app import create_app
from automation.jobs import champions
from automation.loop import build_loop
from data import log
from data.migrations import upgrade
from data.settings import Scope
from ml import copies
from ml.serving import predictor
from ml.version import CHAMPION
from tests.support import HOT, bearer, put_model, put_variation, serving, settings_for

MODEL = "lead_score"
SWAPS = 30
FIRST = 20
USUAL = 300
UNEXPLAINED = {"features": HOT, "explain": False}


def main(arguments: Sequence[str] = ()) -> int:
    """Prints both, warmed and (for comparison) with the warming taken out."""
    log.configure(json=True, level="CRITICAL")
    grid = Table(title=f"Milliseconds over {SWAPS} swaps; the first {FIRST} answers after each, every second one with factors")
    for column in ("", "usual p50", "first p50", "ratio", "usual p95", "first p95", "very first, p50"):
        grid.add_column(column, justify="right" if column else "left")
    warm = predictor.warm
    for name, warming in (("warmed before the swap", warm), ("not warmed", lambda _: None)):
        predictor.warm = warming
        try:
            usual, first = measured()
        finally:
            predictor.warm = warm
        for kind, call in enumerate(("POST /score", "POST /predict, no factors")):
            mine, after = usual[kind::2], first[:, kind::2]
            p50, p95 = np.quantile(mine, [0.5, 0.95])
            after50, after95 = np.quantile(after, [0.5, 0.95])
            figures = (p50, after50, after50 / p50, p95, after95, np.median(after[:, 0]))
            grid.add_row(f"{call}, {name}", *(f"{figure:.2f}" for figure in figures))
    Console(width=140).print(grid)
    return 0


def measured() -> tuple[np.ndarray, np.ndarray]:
    """The usual answers, and swaps x FIRST answers after a change."""
    with tempfile.TemporaryDirectory() as scratch:
        settings = settings_for(Path(scratch))
        put_model(settings.models_dir)
        put_variation(settings.models_dir / MODEL / "1", settings.models_dir / MODEL / "2", trees=90)
        loop = build_loop(settings)
        upgrade(loop.database)
        with (
            serving(create_app(settings, loop=loop, jobs=())) as url,
            httpx.Client(base_url=url, timeout=30, trust_env=False, headers=bearer(Scope.SCORE)) as http,
        ):
            usual = np.array([asked(http, number) for number in range(10 + USUAL)][10:])
            first = []
            for version in itertools.islice(itertools.cycle(["2", "1"]), SWAPS):
                copies.point(settings.models_dir, MODEL, CHAMPION, version)
                champions.refresh(loop)
                first.append([asked(http, number) for number in range(FIRST)])
        loop.database.dispose()
    return usual, np.array(first)


def asked(http: httpx.Client, number: int) -> float:
    """Milliseconds of one answer, with and without factors in turn."""
    started = time.perf_counter()
    answer = http.post("/score", json=HOT) if number % 2 == 0 else http.post(f"/predict/{MODEL}", json=UNEXPLAINED)
    answer.raise_for_status()
    return (time.perf_counter() - started) * 1000
