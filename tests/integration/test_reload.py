"""Champions change under load: no failed request, no answer of two versions, and the last good one where a new one is broken."""

import math
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from automation.jobs import champions
from automation.loop import build_loop
from automation.pipeline.context import Loop
from data.domain.traffic import Mode, Traffic
from data.settings import Scope
from data.warehouse import model_traffic
from ml import copies
from ml.scorer import Scorer
from ml.serving.predictor import Predictor
from ml.version import CHAMPION
from tests.support import COLD, HOT, NOON, bearer, put_variation, serving, settings_for

MODEL = "lead_score"
LEADS: list[dict[str, Any]] = [HOT, COLD, {}, {"sessions": 3, "channel": "email"}, {**HOT, "page_views": 2}]
TREES = {"1": 100, "2": 70, "3": 40, "4": 15}
BROKEN = "5"
THREADS = 5
SWAPS = 14
PATIENCE_SECONDS = 60  # only so that a test that hangs ends

pytestmark = pytest.mark.slow


@pytest.fixture
def loop(trained_models: Path, tmp_path: Path) -> Iterator[Loop]:
    """A loop over several versions of which the first serves, and one that is not whole."""
    settings = settings_for(tmp_path)
    for version, trees in TREES.items():
        put_variation(trained_models / MODEL / "1", settings.models_dir / MODEL / version, trees=trees)
    broken = shutil.copytree(settings.models_dir / MODEL / "2", settings.models_dir / MODEL / BROKEN)
    path = broken / "model.json"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    copies.point(settings.models_dir, MODEL, CHAMPION, "1")
    made = build_loop(settings)
    yield made
    made.database.dispose()


@pytest.fixture
def offline(loop: Loop) -> dict[str, list[float]]:
    """Version -> the score of each lead, by a predictor that serves nobody."""
    found = {}
    for version in TREES:
        copies.point(loop.settings.models_dir, MODEL, CHAMPION, version)
        alone = Predictor(loop.settings.models_dir, hot_threshold=0.5, hot_share=0.05)
        alone.refresh()
        found[version] = [prediction.score for prediction in alone.champion(MODEL).predict(LEADS)]
    copies.point(loop.settings.models_dir, MODEL, CHAMPION, "1")
    assert len({tuple(scores) for scores in found.values()}) == len(TREES), "each version must be known by its scores"
    return found


class Load:
    """Clients that ask without pause, and keep what is wrong with an answer."""

    def __init__(self, url: str, offline: dict[str, list[float]]) -> None:
        self._url, self._offline = url, offline
        self.wrong: list[str] = []
        self.answers: Counter[str] = Counter()
        self._seen = threading.Condition()
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(THREADS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, version: str, more: int = 10) -> bool:
        """Until so many more answers were this version's."""
        with self._seen:
            target = self.answers[version] + more
            return self._seen.wait_for(lambda: self.answers[version] >= target or bool(self.wrong), PATIENCE_SECONDS)

    def _ask(self, number: int) -> None:
        with httpx.Client(base_url=self._url, timeout=30, trust_env=False, headers=bearer(Scope.SCORE)) as http:
            for place in cycle(range(len(LEADS))):
                if self._done.is_set():
                    return
                try:
                    version, fault = self._checked(http, number % 3, place)
                except httpx.HTTPError as error:
                    version, fault = "none", repr(error)
                with self._seen:
                    self.answers[version] += 1
                    if fault:
                        self.wrong.append(fault)
                    self._seen.notify_all()

    def _checked(self, http: httpx.Client, kind: int, place: int) -> tuple[str, str | None]:
        """The version that answered, and what is wrong with the answer."""
        if kind == 0:
            answer = http.post("/score", json=LEADS[place])
        else:
            answer = http.post(f"/predict/{MODEL}", json={"features": LEADS[place], "explain": kind == 1})
        if answer.status_code != 200:
            return "none", f"{answer.status_code}: {answer.text}"
        body = answer.json()
        version, score = body["model_version"], body.get("score", body.get("prediction"))
        if not math.isclose(score, self._offline[version][place], abs_tol=1e-9):
            return version, f"version {version} says {score}, offline {self._offline[version][place]}"
        if body["factors"] is not None:
            total = body["base_value"] + sum(factor["contribution"] for factor in body["factors"])
            if not math.isclose(1 / (1 + math.exp(-total)), score, abs_tol=1e-9):
                return version, f"version {version}: the factors do not add up to {score}"
        return version, None


def test_champions_change_under_load_without_a_failed_or_a_mixed_answer(loop: Loop, offline: dict[str, list[float]]) -> None:
    folder = loop.settings.models_dir
    with serving(create_app(loop.settings, loop=loop, jobs=())) as url, Load(url, offline) as load:
        serves = "1"
        for swap, version in zip(range(SWAPS), cycle(["2", "3", BROKEN, "4", "1"]), strict=False):
            copies.point(folder, MODEL, CHAMPION, version)
            champions.refresh(loop)
            serves = serves if version == BROKEN else version
            assert load.wait_for(serves), f"swap {swap} to {version}: {load.wrong[:3]}"
            assert loop.predictor.champion(MODEL).card.version == serves
            assert [error.version for error in loop.predictor.load_errors()] == ([BROKEN] if version == BROKEN else [])
    assert load.wrong == []
    assert set(load.answers) == set(TREES)


def test_a_running_service_notices_a_pointer_that_moved(loop: Loop, offline: dict[str, list[float]]) -> None:
    with serving(create_app(loop.settings, loop=loop, jobs={"champions.refresh"})) as url, Load(url, offline) as load:
        for version in ("3", "1"):
            copies.point(loop.settings.models_dir, MODEL, CHAMPION, version)
            assert load.wait_for(version)
    assert load.wrong == []


def test_a_running_service_notices_traffic_that_another_process_set(loop: Loop, offline: dict[str, list[float]]) -> None:
    """The clients name no entity, so the champion goes on answering them; the one that does gets the challenger."""
    other = build_loop(loop.settings)
    with serving(create_app(loop.settings, loop=loop, jobs={"champions.refresh"})) as url, Load(url, offline) as load:
        setting = Traffic(model=MODEL, champion="1", challenger="2", mode=Mode.LIVE, share=1.0, since=NOON)
        with other.database.write() as session:
            model_traffic.put(session, setting)
        ask = {"features": HOT, "entity": {"source": "generic", "kind": "contact", "id": "ada"}}
        with httpx.Client(base_url=url, timeout=30, trust_env=False, headers=bearer(Scope.SCORE)) as http:
            pause = threading.Event()
            for _ in range(100 * PATIENCE_SECONDS):
                answer = http.post(f"/predict/{MODEL}", json=ask).json()
                if answer["variant"] == "challenger":
                    break
                pause.wait(0.01)
        assert (answer["model_version"], answer["prediction"]) == ("2", pytest.approx(offline["2"][0]))
    assert load.wrong == []
    other.database.dispose()


def test_warming_asks_for_all_that_will_be_asked(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a version is in its place it has answered alone and in batches, explained and not."""
    asked: list[tuple[str, int, bool]] = []
    for name in ("margins", "contributions"):
        plain = getattr(Scorer, name)

        def watched(self: Any, frame: Any, name: str = name, plain: Any = plain) -> Any:
            asked.append((name, len(frame), MODEL in loop.predictor.served()))
            return plain(self, frame)

        monkeypatch.setattr(Scorer, name, watched)
    loop.predictor.refresh()
    assert {(name, rows) for name, rows, _ in asked} >= {(name, rows) for name in ("margins", "contributions") for rows in (1, 100)}
    assert not any(already for _, _, already in asked)


def test_a_version_that_answers_nonsense_is_not_served(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    loop.predictor.refresh()
    copies.point(loop.settings.models_dir, MODEL, CHAMPION, "2")
    monkeypatch.setattr(Scorer, "margins", lambda _, frame: float("nan") * frame.height)
    loop.predictor.refresh()
    assert loop.predictor.champion(MODEL).card.version == "1"
    assert "no sound scores" in loop.predictor.load_errors()[0].reason
