"""TABLE of the peers, ours first. Each runs as it would be set up by somebody who wants it to win."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from data.settings import ROOT

HERE = Path(__file__).parent
OURS = "ours"


@dataclass(frozen=True)
class Peer:
    """`module` has `predict(job)`. `lock` pins an environment of its own; without one the project's own is used, and
    `packages` names what of it matters. `code` lists the files whose change makes old results stale."""

    name: str
    module: str
    setup: str
    code: Callable[[], list[Path]]
    lock: Path | None = None
    packages: tuple[str, ...] = ()
    has_budget: bool = False

    def fingerprint(self) -> str:
        """Changes with the peer's code, and with the versions it runs on."""
        code = [path.read_bytes() for path in (HERE / "job.py", *self.code())]
        locked = self.lock.read_bytes() if self.lock else b""
        versions = " ".join(_version(name) for name in self.packages).encode()
        return hashlib.sha256(b"\0".join([*code, locked, versions])).hexdigest()


def peer(
    name: str, file: str, setup: str, *, lock: str | None = None, packages: tuple[str, ...] = (), has_budget: bool = False
) -> Peer:
    path = HERE / "peers" / f"{file}.py"
    locked = HERE / f"requirements-{lock}.txt" if lock else None
    return Peer(name, f"tests.bench.models.peers.{file}", setup, lambda: [path], locked, packages, has_budget)


def our_code() -> list[Path]:
    return [HERE / "ours.py", *sorted((ROOT / "ml").rglob("*.py"))]


XGBOOST = ("xgboost-cpu", "xgboost")  # the one or the other, by platform
PEERS: dict[str, Peer] = {
    row.name: row
    for row in (
        Peer(
            OURS,
            "tests.bench.models.ours",
            "as `leadloop train`, within the budget",
            our_code,
            packages=(*XGBOOST, "lightgbm", "scikit-learn", "numpy"),
            has_budget=True,
        ),
        peer("logistic", "logistic", "scikit-learn: one-hot, scaled, C = 1", packages=("scikit-learn",)),
        peer("xgboost", "xgboost_defaults", "XGBoost, defaults, native categories", packages=XGBOOST),
        peer("lightgbm", "lightgbm_defaults", "LightGBM, defaults, native categories", packages=("lightgbm",)),
        peer("catboost", "catboost_defaults", "CatBoost, defaults, native categories", lock="flaml"),
        peer("xgboost_regularised", "xgboost_regularised", "XGBoost, 300 trees, depth 4, rate 0.05", packages=XGBOOST),
        peer("flaml", "flaml_automl", "FLAML, log_loss, within the budget", lock="flaml", has_budget=True),
        peer(
            "autogluon",
            "autogluon_tabular",
            "AutoGluon without neural networks, good_quality, no stacking trial, log_loss, within it",
            lock="autogluon",
            has_budget=True,
        ),
    )
}


def _version(package: str) -> str:
    try:
        return f"{package}=={version(package)}"
    except PackageNotFoundError:
        return ""
