"""A warehouse of any size: contacts with web counters, custom fields and late news, their companies, deals and notes."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.samples.leads import NAMES, START
from data.warehouse.fact_frames import SCHEMA
from ml.features.facts import DAY

Ints = NDArray[np.int64]

EVENTS_PER_CONTACT = 20
EVENTS_PER_DEAL = 5
EVENTS_PER_COMPANY = 5
EVENTS_PER_NOTE = 3
DEAL_SHARE, COMPANY_SHARE, NOTE_SHARE = 0.10, 0.05, 0.05  # of all events
EXAMPLE_SHARE = 0.125  # of a contact's or deal's events, so many are examples: two to three for each entity
DAYS = 400
LATE_SHARE, LATE_DAYS = 0.1, 5.0  # so many events come late, by so much on average; the others within seconds
OURS_SHARE = 0.03
STAGES = ("appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "contractsent", "closedwon", "closedlost")
OF_CONTACT = ("sessions", "engaged_sessions", "page_views", "channel", "job_title", "team_size", "newsletter", "budget",
              "region", "notes", "associatedcompanyid", "hubspot_owner_id")  # fmt: skip
OF_DEAL = ("dealstage", "amount", "associatedcompanyid", "hubspot_owner_id", "priority")
OF_COMPANY = ("industry", "employees", "country")
OF_NOTE = ("hs_note_body", "person_id", "deal_id")
CONTACTS_FROM, COMPANIES_FROM, DEALS_FROM, NOTES_FROM = 1, 10_000_000, 20_000_000, 30_000_000


def facts(events: int, seed: int = 0) -> pl.DataFrame:
    """One fact per event, in the order in which they became known."""
    generator = np.random.default_rng(seed)
    deals, companies, notes = int(events * DEAL_SHARE), int(events * COMPANY_SHARE), int(events * NOTE_SHARE)
    contacts = events - deals - companies - notes
    count = {
        "contact": (CONTACTS_FROM, max(contacts // EVENTS_PER_CONTACT, 1)),
        "company": (COMPANIES_FROM, max(companies // EVENTS_PER_COMPANY, 1)),
        "deal": (DEALS_FROM, max(deals // EVENTS_PER_DEAL, 1)),
        "note": (NOTES_FROM, max(notes // EVENTS_PER_NOTE, 1)),
    }
    parts = [
        _part(generator, "contact", contacts, OF_CONTACT, count),
        _part(generator, "company", companies, OF_COMPANY, count),
        _part(generator, "deal", deals, OF_DEAL, count),
        _part(generator, "note", notes, OF_NOTE, count),
    ]
    frame = pl.concat(parts).sort("known_at", maintain_order=True).with_row_index("id", 1)
    return frame.with_columns(pl.col("id").cast(pl.Int64), event=pl.col("id").cast(pl.Int64)).select(list(SCHEMA))


def examples(frame: pl.DataFrame, kind: str, seed: int = 1) -> pl.DataFrame:
    """Moments at which the loop would have scored: an event of the entity has just become known."""
    own = frame.filter((pl.col("kind") == kind) & ~pl.col("by_us"))
    chosen = own.sample(int(len(own) * EXAMPLE_SHARE), seed=seed)
    return chosen.select("entity", as_of=pl.max_horizontal("occurred_at", "known_at"))


def _part(
    generator: np.random.Generator, kind: str, rows: int, names: tuple[str, ...], count: dict[str, tuple[int, int]]
) -> pl.DataFrame:
    first, entities = count[kind]
    entity = first + generator.integers(0, entities, rows)
    moment = generator.integers(0, DAYS * DAY, rows)
    seconds = generator.exponential(2e6, rows)
    delay = np.where(generator.random(rows) < LATE_SHARE, generator.exponential(LATE_DAYS * DAY, rows), seconds).astype(np.int64)
    start = int(START.timestamp()) * 1_000_000
    names_ = np.array([*names, "predicted_score"])
    code = generator.integers(0, len(names), rows)
    ours = generator.random(rows) < OURS_SHARE
    code = np.where(ours, len(names), code)
    target = _targets(names_[code], entity, count)
    return pl.DataFrame(
        {
            "entity": entity,
            "source": pl.repeat("hubspot", rows, eager=True),
            "kind": pl.repeat(kind, rows, eager=True),
            "name": pl.Series(names_).gather(code),
            "value": _values(generator, names_, code, moment, target),
            "target": pl.Series(target).replace(-1, None),
            "occurred_at": pl.Series(start + moment).cast(SCHEMA["occurred_at"]),
            "known_at": pl.Series(start + moment + delay).cast(SCHEMA["known_at"]),
            "origin": pl.repeat("event", rows, eager=True),
            "by_us": ours,
        }
    )


def _targets(names: NDArray[np.str_], entity: Ints, count: dict[str, tuple[int, int]]) -> Ints:
    """Whom each fact names; -1 for nobody. An entity always names the same one, but for notes: these go from one to the next."""
    target = np.full(len(names), -1)
    for name, kind in (("associatedcompanyid", "company"), ("person_id", "contact"), ("deal_id", "deal")):
        first, entities = count[kind]
        moved = np.arange(len(names)) % 2 if kind != "company" else 0
        target = np.where(names == name, first + (entity + moved) % entities, target)
    return target


def _values(generator: np.random.Generator, names: NDArray[np.str_], code: Ints, moment: Ints, target: Ints) -> pl.Series:
    """Counters grow with time, stages advance with it, the rest is drawn; some are emptied."""
    rows = len(code)
    grown = 1 + moment // (10 * DAY) + generator.integers(0, 3, rows)
    drawn = {
        "channel": pl.Series(np.array(NAMES)).gather(generator.integers(0, len(NAMES), rows)),
        "dealstage": pl.Series(STAGES).gather(np.minimum(moment // (60 * DAY), 4) + (generator.random(rows) < 0.1)),
        "amount": pl.Series(generator.integers(1, 50, rows) * 1000).cast(pl.String),
        **dict.fromkeys(("associatedcompanyid", "person_id", "deal_id"), pl.Series(target).cast(pl.String)),
        "notes": pl.Series(generator.integers(0, 1000, rows)).cast(pl.String) + " asked for a demo of the new version",
        "hs_note_body": "<p>" + pl.Series(generator.integers(0, 1000, rows)).cast(pl.String) + " seats,<br>decides in May</p>",
    }
    value = pl.Series(grown).cast(pl.String)
    for place, name in enumerate(names):
        if name in drawn:
            value = value.zip_with(pl.Series(code != place), drawn[name])
    return value.set(pl.Series(generator.random(rows) < 0.01), None)
