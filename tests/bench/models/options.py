"""What the benchmarks of models take on the command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.settings import VAR
from tests.bench.models.registry import OURS, PEERS, Peer
from tests.bench.models.splits import Split
from tests.bench.models.tables import TABLES
from tests.bench.models.tasks import How

RESULTS = VAR / "bench"
BUDGET_SECONDS = 60
THREADS = 2  # the least that a customer's machine has; all peers get the same


@dataclass(frozen=True)
class Options:
    """`fresh` names the peers whose stored results are computed anew; `undisturbed` is the share of the
    processors above which a result with a budget is computed anew; `only_report` computes nothing."""

    peers: tuple[Peer, ...]
    tables: tuple[str, ...]
    splits: tuple[Split, ...]
    fresh: frozenset[str]
    undisturbed: float | None
    only_report: bool
    how: How


def parse(
    bench: str,
    arguments: Sequence[str],
    *,
    peers: Sequence[str] = tuple(PEERS),
    tables: Sequence[str] = tuple(TABLES),
    budget: float = 60,
) -> Options:
    """Reads the options of a bench; its own defaults for peers, tables and budget."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.bench {bench}")
    parser.add_argument("--only", type=_names(PEERS), default=tuple(peers), help=f"peers: {','.join(PEERS)}")
    parser.add_argument("--tables", type=_names(TABLES), default=tuple(tables), help=f"tables: {','.join(TABLES)}")
    parser.add_argument("--splits", type=_names([split.value for split in Split]), default=tuple(Split), help="random,newest")
    parser.add_argument("--budget", type=float, default=budget, help="seconds for each fit of a peer that takes a budget")
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--fresh", type=_names(PEERS), default=(), help=f"compute these anew, as in --fresh {OURS}")
    parser.add_argument(
        "--undisturbed", type=float, metavar="SHARE",
        help="compute anew what has a budget and was stored while other programs took more than this share of the processors",
    )  # fmt: skip
    parser.add_argument("--report", action="store_true", help="compute nothing: report what is there")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of all results")
    found = parser.parse_args(list(arguments))
    return Options(
        peers=tuple(PEERS[name] for name in found.only),
        tables=tuple(found.tables),
        splits=tuple(Split(name) for name in found.splits),
        fresh=frozenset(found.fresh),
        undisturbed=found.undisturbed,
        only_report=found.report,
        how=How(found.results.resolve(), found.budget, found.threads),
    )


def _names(known: Sequence[str] | dict[str, object]):  # type: ignore[no-untyped-def]
    def read(text: str) -> tuple[str, ...]:
        names = tuple(filter(None, (name.strip() for name in text.split(","))))
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(known)}")
        return names

    return read
