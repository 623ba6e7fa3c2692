"""The predictor: the served versions in memory, and who of them answers.

Serving starts from local copies under `models_dir`, so it needs neither MLflow nor its server to answer. A new version
is loaded and warmed beside the old one and swapped in by one assignment: a request sees the one or the other. One that
cannot be loaded leaves the last good one in place, and is told.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data.domain.traffic import Mode, Traffic, Variant
from data.errors import NotFound, NotReady
from data.redaction import shortened
from ml.serving.assignment import variant_of
from ml.serving.served import Served
from ml.serving.warm import warm
from ml.version import CARD, CHAMPION, CHECKSUMS, Card, is_plain, load, read_card

__all__ = ["Choice", "LoadError", "Predictor", "Served"]


@dataclass(frozen=True)
class Choice:
    """Who answers for one entity, and who is asked besides without being heard."""

    served: Served
    variant: Variant
    shadow: Served | None = None


@dataclass(frozen=True)
class LoadError:
    """A version that should be served and could not be loaded. `stamp`: the files' times when it was tried."""

    model: str
    version: str
    variant: Variant
    reason: str
    stamp: tuple[int, ...]


class Predictor:
    """The champions of all models, and the challengers that have traffic. Safe to use from many threads."""

    def __init__(self, models_dir: Path, *, hot_threshold: float | str, hot_share: float) -> None:
        self._models_dir = models_dir
        self._hot_threshold, self._hot_share = hot_threshold, hot_share
        self._served: dict[str, Served] = {}
        self._challengers: dict[str, Served] = {}
        self._traffic: dict[str, Traffic] = {}
        self._errors: dict[tuple[str, Variant], LoadError] = {}
        self._one_at_a_time = threading.Lock()

    def champion(self, model: str) -> Served:
        """The served version.

        Raises:
            NotReady: the model has none.
        """
        if (served := self._served.get(model)) is None:
            raise NotReady(self._why_not(model))
        return served

    def _why_not(self, model: str) -> str:
        if (failed := self._errors.get((model, Variant.CHAMPION))) is not None:
            return f"champion {failed.version} of {model} cannot be loaded here: {failed.reason}"
        return (
            f"model {model} has no champion yet: `leadloop train {model} --sample`, or `leadloop train --csv F --target COLUMN "
            f"--name {model}` on your own table; `leadloop models show {model}` says if the gate has refused one"
        )

    def choose(self, model: str, entity_key: str | None) -> Choice:
        """The version that answers for an entity: the champion, or the challenger for its share of the entities.

        Without an entity the champion answers, and nobody is asked besides.

        Raises:
            NotReady: the model has no champion.
        """
        champion, challenger, traffic = self.champion(model), self._challengers.get(model), self._traffic.get(model)
        if entity_key is None or challenger is None or traffic is None or traffic.mode is Mode.OFF:
            return Choice(champion, Variant.CHAMPION)
        # They are read one after the other, and the setting or the champion may have changed between.
        if (champion.card.version, challenger.card.version) != (traffic.champion, traffic.challenger):
            return Choice(champion, Variant.CHAMPION)
        if variant_of(model, entity_key, traffic.share) is Variant.CHAMPION:
            return Choice(champion, Variant.CHAMPION)
        if traffic.mode is Mode.SHADOW:
            return Choice(champion, Variant.CHAMPION, shadow=challenger)
        return Choice(challenger, Variant.CHALLENGER)

    def served(self) -> dict[str, Served]:
        return dict(self._served)

    def challengers(self) -> dict[str, Served]:
        """The challengers that have traffic."""
        return dict(self._challengers)

    def load_errors(self) -> list[LoadError]:
        """What should be served and is not; the last good version answers instead."""
        return list(self._errors.values())

    def card(self, model: str, version: str) -> Card:
        """The card of any version that this machine has a copy of.

        Raises:
            NotFound: the model or the version is unknown here. NotReady: its card is damaged.
        """
        for served in (self._served.get(model), self._challengers.get(model)):
            if served is not None and served.card.version == version:
                return served.card
        folder = self._folder(model, version)
        if folder is None or not (folder / CARD).is_file():
            raise NotFound(f"model {model!r} has no version {version!r} here")
        try:
            return read_card(folder)
        except ValueError as error:
            raise NotReady(f"the card of version {version} of {model} is damaged; POST /models/{model}/reload") from error

    def set_traffic(self, traffic: Mapping[str, Traffic]) -> None:
        """Takes over the settings of all models; the next `refresh` loads the challengers that they name."""
        self._traffic = dict(traffic)

    def refresh(self, *, again: bool = False) -> list[str]:
        """Loads what the local champion pointers and the traffic name; returns the models whose champion changed.

        A version that cannot be loaded is tried again when its files have changed, or if told to (`again`).
        """
        with self._one_at_a_time:
            wanted = {pointer.parent.name: pointer.read_text().strip() for pointer in self._models_dir.glob(f"*/{CHAMPION}")}
            changed = [model for model in sorted(wanted) if self._swap(Variant.CHAMPION, model, wanted[model], again=again)]
            # A setting is for the two versions that it was made for: another champion ends it.
            asked = {
                model: one.challenger
                for model, one in self._traffic.items()
                if one.mode is not Mode.OFF and one.champion == wanted.get(model) != one.challenger
            }
            for model, version in asked.items():
                self._swap(Variant.CHALLENGER, model, version, again=again)
            self._challengers = {model: served for model, served in self._challengers.items() if model in asked}
            known = {Variant.CHAMPION: wanted, Variant.CHALLENGER: asked}
            self._errors = {key: error for key, error in self._errors.items() if known[key[1]].get(key[0]) == error.version}
        return changed

    def _swap(self, variant: Variant, model: str, version: str, *, again: bool) -> bool:
        """Puts a version in its place if it is not there; whether it is now."""
        place = self._served if variant is Variant.CHAMPION else self._challengers
        if (old := place.get(model)) is not None and old.card.version == version:
            return False
        failed, stamp = self._errors.get((model, variant)), _stamp(self._models_dir / model / version)
        if failed is not None and (failed.version, failed.stamp) == (version, stamp) and not again:
            return False
        try:
            served = self._load(model, version)
        except Exception as error:  # each learner's reader has errors of its own
            reason = shortened(f"{type(error).__name__}: {error}", 300)
            self._errors = {**self._errors, (model, variant): LoadError(model, version, variant, reason, stamp)}
            return False
        self._errors = {key: error for key, error in self._errors.items() if key != (model, variant)}
        if variant is Variant.CHAMPION:
            self._served = {**self._served, model: served}
        else:
            self._challengers = {**self._challengers, model: served}
        return True

    def _load(self, model: str, name: str) -> Served:
        if (folder := self._folder(model, name)) is None:
            raise NotFound(f"{name[:80]!r} is no version's name")
        version = load(folder)
        served = Served(version, version.card.threshold(self._hot_threshold, self._hot_share))
        warm(served)
        return served

    def _folder(self, model: str, version: str) -> Path | None:
        if not (is_plain(model) and is_plain(version)):
            return None
        return self._models_dir / model / version


def _stamp(folder: Path) -> tuple[int, ...]:
    paths = (folder, folder / CARD, folder / CHECKSUMS)
    return tuple(path.stat().st_mtime_ns for path in paths if path.exists())
