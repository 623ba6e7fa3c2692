"""From stored results to figures: each peer on each table and split, and ours against the best of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.bench.models import figures
from tests.bench.models.figures import Difference, Verdict
from tests.bench.models.registry import OURS
from tests.bench.models.tables import Table
from tests.bench.models.tasks import Outcome

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TRUTH = "true probability"  # of a synthetic table: the best that anything can reach


@dataclass(frozen=True)
class Scored:
    """One peer's probabilities for all judged rows of a split, in the order of the rows."""

    peer: str
    row: Ints
    fold: Ints
    probability: Floats
    seconds: float  # mean of a fit with its predictions
    cpu_seconds: float  # the same in processor time
    others_share: float  # the largest share of the processors that other programs took
    peak_megabytes: float


@dataclass(frozen=True)
class Figures:
    peer: str
    auc: float
    log_loss: float
    ece_10: float
    ece_15: float
    seconds: float | None
    cpu_seconds: float | None
    others_share: float | None
    peak_megabytes: float | None


@dataclass(frozen=True)
class Duel:
    """Ours less the peer that is best by this measure on these very rows, which favours the peer."""

    measure: str
    peer: str
    difference: Difference
    verdict: Verdict


@dataclass(frozen=True)
class Section:
    """One table and split. `unfinished`: peer -> how many of the parts it has done."""

    table: str
    split: str
    rows: int
    base_rate: float
    parts: int
    peers: list[Figures]
    duels: list[Duel]
    unfinished: dict[str, int]


def judge(table: Table, split: str, parts: int, outcomes: Mapping[str, Sequence[Outcome]]) -> Section | None:
    """The figures of every peer that has all parts; None where no peer has."""
    whole = {peer: joined(peer, found) for peer, found in outcomes.items() if len(found) == parts}
    if not whole:
        return None
    some = next(iter(whole.values()))
    labels = table.labels[some.row]
    rows = [figures_of(labels, scored) for scored in whole.values()]
    if table.truth is not None:
        truth = Scored(
            TRUTH, some.row, some.fold, table.truth[some.row], seconds=0, cpu_seconds=0, others_share=0, peak_megabytes=0
        )
        rows.append(figures_of(labels, truth, measured=False))
    return Section(
        table=table.name,
        split=split,
        rows=len(labels),
        base_rate=float(labels.mean()),
        parts=parts,
        peers=rows,
        duels=duels(labels, whole, rows),
        unfinished={peer: len(found) for peer, found in outcomes.items() if len(found) < parts},
    )


def joined(peer: str, outcomes: Sequence[Outcome]) -> Scored:
    """The parts of a split as one, by row; `fold` is the place of a row's part."""
    row = np.concatenate([found.row for found in outcomes])
    fold = np.concatenate([np.full(len(found.row), place) for place, found in enumerate(outcomes)])
    probability = np.concatenate([found.probability for found in outcomes])
    order = np.argsort(row, kind="stable")
    seconds = [seconds for found in outcomes for seconds in found.seconds]
    others, peak = (max(getattr(found, name) for found in outcomes) for name in ("others_share", "peak_megabytes"))
    cpu = sum(found.cpu_seconds for found in outcomes) / len(seconds)
    return Scored(peer, row[order], fold[order], probability[order], float(np.mean(seconds)), cpu, others, peak)


def figures_of(labels: Ints, scored: Scored, *, measured: bool = True) -> Figures:
    return Figures(
        peer=scored.peer,
        auc=figures.fold_auc(labels, scored.probability, scored.fold),
        log_loss=figures.log_loss(labels, scored.probability),
        ece_10=figures.ece(labels, scored.probability, 10),
        ece_15=figures.ece(labels, scored.probability, 15),
        seconds=scored.seconds if measured else None,
        cpu_seconds=scored.cpu_seconds if measured else None,
        others_share=scored.others_share if measured else None,
        peak_megabytes=scored.peak_megabytes if measured else None,
    )


def duels(labels: Ints, whole: Mapping[str, Scored], rows: Sequence[Figures]) -> list[Duel]:
    """Ours against the peer with the lowest log-loss, and against the one with the highest AUC."""
    others = [row for row in rows if row.peer in whole and row.peer != OURS]
    if OURS not in whole or not others:
        return []
    ours = whole[OURS]
    low = whole[min(others, key=lambda row: row.log_loss).peer]
    high = whole[max(others, key=lambda row: row.auc).peer]
    loss = figures.log_loss_difference(labels, ours.probability, low.probability)
    area = figures.auc_difference(labels, ours.probability, high.probability, ours.fold)
    return [
        Duel("log_loss", low.peer, loss, loss.verdict(lower_is_better=True)),
        Duel("auc", high.peer, area, area.verdict(lower_is_better=False)),
    ]
