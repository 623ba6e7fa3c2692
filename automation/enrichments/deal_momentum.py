"""How deals move: a deal's own, or those of a contact that are still open. The numbers are those of the features."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from automation.enrichments.background import Background
from automation.pipeline.context import Case
from data.domain.entity import EntityKind
from data.domain.outcome import ENDINGS
from ml.features import momentum
from ml.features.facts import Examples, Facts
from ml.features.momentum import Norms
from ml.features.naming import belonging
from ml.features.properties import latest_of
from ml.features.timeline import Bools

MODEL = "win_probability"  # whose version knows what is usual of each stage
MOST_DEALS = 5  # the rest of a contact's open deals is only counted
DIGITS = 3
NUMBERS = tuple(name for name in momentum.COLUMNS if name != "deal_stage")
# What the CRMs call a deal's owner and pipeline.
OWNER, PIPELINE = ("hubspot_owner_id", "owner_id", "user_id"), ("pipeline", "pipeline_id")


def derive(background: Background) -> dict[int, Any]:
    """`open`: how many of the contact's deals are; `deals`: those that moved last, the newest first."""
    return {**_of_deals(background), **_of_contacts(background)}


def _of_deals(background: Background) -> dict[int, Any]:
    cases, examples = background.of_kind(EntityKind.DEAL)
    if not cases:
        return {}
    told, closed = _told(background, cases, examples), _closed(examples, background.facts)
    return {
        case.event_id: {"open": int(not over), "deals": [deal]}
        for case, deal, over in zip(cases, told, closed, strict=True)
        if deal["stage"] is not None or deal["deal_amount"] is not None
    }


def _of_contacts(background: Background) -> dict[int, Any]:
    cases, contacts = background.of_kind(EntityKind.CONTACT)
    theirs = belonging(contacts, background.facts, [EntityKind.DEAL]) if cases else None
    if theirs is None or not len(theirs.example):
        return {}
    order = np.argsort(theirs.record, kind="stable")
    places, deals = theirs.example[order], Examples(EntityKind.DEAL, theirs.record[order], contacts.at[theirs.example[order]])
    told = _told(background, [cases[place] for place in places], deals)
    # What was deleted has no stage any more; what is closed moves no more.
    is_open = ~_closed(deals, background.facts) & np.array([deal["stage"] is not None for deal in told], dtype=np.bool_)
    found: dict[int, list[dict[str, Any]]] = {}
    for row in np.flatnonzero(is_open):
        found.setdefault(cases[places[row]].event_id, []).append(told[row])
    return {
        event_id: {"open": len(open_), "deals": sorted(open_, key=lambda deal: deal["days_in_stage"])[:MOST_DEALS]}
        for event_id, open_ in found.items()
    }


def _told(background: Background, cases: Iterable[Case], deals: Examples) -> list[dict[str, Any]]:
    """One row for each example of a deal; ids with the names that people gave them, where the account says these."""
    served = background.loop.predictor.served().get(MODEL)
    columns = momentum.build(deals, background.facts, served.card.norms if served else Norms())
    rows = pl.DataFrame({"stage": columns["deal_stage"], **{name: columns[name] for name in NUMBERS}}).to_dicts()
    owners, pipelines = (_first(deals, background.facts, names) for names in (OWNER, PIPELINE))
    return [
        {
            "deal": background.refs[int(number)].id,
            **{name: round(value, DIGITS) if isinstance(value, float) else value for name, value in row.items()},
            "stage_name": case.labels.get((EntityKind.STAGE, row["stage"] or "")),
            "pipeline_name": case.labels.get((EntityKind.PIPELINE, pipeline or "")),
            "owner_name": case.labels.get((EntityKind.USER, owner or "")),
        }
        for case, number, row, owner, pipeline in zip(cases, deals.entity, rows, owners, pipelines, strict=True)
    ]


def _first(deals: Examples, facts: Facts, names: Iterable[str]) -> list[str | None]:
    found = latest_of(deals, facts, names)
    return pl.DataFrame(found).select(pl.coalesce(pl.all())).to_series().to_list()


def _closed(deals: Examples, facts: Facts) -> Bools:
    over = np.zeros(len(deals), dtype=np.bool_)
    for name in {name for name, _ in ENDINGS}:
        words = [word for ending, word in ENDINGS if ending == name]
        told = latest_of(deals, facts, [name])[name].str.to_lowercase()
        over |= told.is_in(words).fill_null(value=False).to_numpy()
    return over
