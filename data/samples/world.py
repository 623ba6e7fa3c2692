"""The synthetic CRM: companies, contacts, their activities and deals over months, and live changes after that.

Its leads are rows of `leads.table`, so every contact's true probability of being won is known. What people type is as
people type it: some fields are empty, some company names and job titles have typos.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from data.samples import leads

FIRST = ("Ada", "Ben", "Carla", "Dario", "Elif", "Finn", "Grace", "Hugo", "Ines", "Jonas", "Kim", "Lena", "Marek", "Nadia",
         "Omar", "Paula", "Quinn", "Rosa", "Søren", "Tariq", "Uma", "Viktor", "Wanda", "Xenia", "Yara", "Zoë")  # fmt: skip
LAST = ("Abel", "Bauer", "Castro", "Dubois", "Eriksen", "Fischer", "Garcia", "Haas", "Ivanova", "Jensen", "Kaya", "Lopez",
        "Müller", "Novak", "O'Brien", "Petrov", "Quist", "Rossi", "Silva", "Tanaka", "Ueda", "Vogel", "Weber", "Young")  # fmt: skip
STEMS = ("Nordic", "Blue", "Vertex", "Apex", "Green", "Quant", "Solar", "Urban", "Delta", "Prime", "Atlas", "Lumen")
ENDS = ("Works", "Systems", "Foods", "Labs", "Logistics", "Partners", "Robotics", "Energy", "Media", "Health")
INDUSTRIES = ("software", "retail", "manufacturing", "healthcare", "logistics", "finance", "education")
TITLES = ("CEO", "CTO", "Head of Sales", "Marketing Manager", "Engineer", "Purchasing", "Student")
STAGES = ("appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin", "contractsent")
MISSING_SHARE = 0.12
TYPO_SHARE = 0.06
DEAL_SHARE = 0.35  # of the leads that are lost in the end, how many had a deal before


@dataclass(frozen=True)
class Company:
    id: int
    name: str
    domain: str
    industry: str | None
    employees: int | None


@dataclass(frozen=True)
class Contact:
    """One person. `properties` are under our names; `custom` are the account's own fields, None where empty."""

    id: int
    company: Company
    properties: dict[str, Any]
    custom: dict[str, Any]
    created_at: datetime
    true_probability: float
    is_won: bool


@dataclass(frozen=True)
class Activity:
    """A session, page view, e-mail, call or meeting."""

    kind: str
    contact_id: int
    occurred_at: datetime
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Deal:
    """A deal with the moment at which it entered each stage; the last stage is its outcome."""

    id: int
    contact_id: int
    company_id: int
    amount_cents: int
    stages: tuple[tuple[str, datetime], ...]


@dataclass(frozen=True)
class History:
    """Everything that happened before now."""

    companies: tuple[Company, ...]
    contacts: tuple[Contact, ...]
    activities: tuple[Activity, ...]
    deals: tuple[Deal, ...]


@dataclass(frozen=True)
class Change:
    """Something that happens now: a contact appears, or some of its properties change."""

    contact: Contact
    verb: str
    changed: dict[str, Any]
    previous: dict[str, Any]
    current: dict[str, Any]


def history(contacts: int = 500, seed: int = 0) -> History:
    """Months of a CRM's past, the same for the same seed."""
    generator = np.random.default_rng([seed, 1])
    people = _people(generator, leads.table(contacts, seed), first_id=1_001)
    activities: list[Activity] = []
    deals: list[Deal] = []
    for person in people:
        activities += _activities(generator, person)
        if person.is_won or generator.random() < DEAL_SHARE:
            deals.append(_deal(generator, person, deal_id=9_001 + len(deals)))
    companies = tuple({person.company.id: person.company for person in people}.values())
    return History(companies, tuple(people), tuple(sorted(activities, key=lambda a: a.occurred_at)), tuple(deals))


def live(seed: int = 0, *, first_id: int = 500_001, contacts: int = 10_000, warm: bool = False) -> Iterator[Change]:
    """New leads as they come in: each appears with its first session, then returns until its row of the table is full.

    Contacts overlap in time, so that changes of different people are mixed as in a real account. `warm` draws leads
    in proportion to their true probability, as after a good campaign, so that a few minutes have something to show.
    """
    generator = np.random.default_rng([seed, 2])
    table = leads.table(contacts, seed + 7_919)
    if warm:
        weights = table["true_probability"].to_numpy()
        table = table[generator.choice(len(table), size=len(table), replace=False, p=weights / weights.sum())]
    people = iter(_people(generator, table, first_id=first_id))
    open_visits: list[Iterator[Change]] = []
    while True:
        if len(open_visits) < 12 and (person := next(people, None)) is not None:
            open_visits.append(_visits(generator, person))
        if not open_visits:
            return
        place = int(generator.integers(len(open_visits)))
        if (change := next(open_visits[place], None)) is None:
            open_visits.pop(place)
        else:
            yield change


def _people(generator: np.random.Generator, table: pl.DataFrame, *, first_id: int) -> list[Contact]:
    pool = [_company(generator, number) for number in range(max(3, len(table) // 4))]
    return [
        _contact(generator, first_id + place, pool[int(generator.integers(len(pool)))], row)
        for place, row in enumerate(table.iter_rows(named=True))
    ]


def _company(generator: np.random.Generator, number: int) -> Company:
    name = f"{_pick(generator, STEMS)} {_pick(generator, ENDS)}"
    return Company(
        id=70_001 + number,
        name=_typo(generator, name),
        domain=f"{name.lower().replace(' ', '-')}-{number}.example",
        industry=_or_missing(generator, _pick(generator, INDUSTRIES)),
        employees=_or_missing(generator, int(10 ** generator.uniform(0.5, 4))),
    )


def _contact(generator: np.random.Generator, number: int, company: Company, row: dict[str, Any]) -> Contact:
    first, last = _pick(generator, FIRST), _pick(generator, LAST)
    address = f"{first}.{last}.{number}@{company.domain}".lower().replace("'", "").encode("ascii", "ignore").decode()
    return Contact(
        id=number,
        company=company,
        properties={
            "email": address,
            "firstname": first,
            "lastname": last,
            "company": company.name,
            **{name: row[name] for name in leads.COLUMNS},
        },
        custom={
            "job_title": _or_missing(generator, _typo(generator, _pick(generator, TITLES))),
            "team_size": _or_missing(generator, int(generator.integers(1, 400))),
            "newsletter": _or_missing(generator, bool(generator.random() < 0.4)),
        },
        created_at=row["created_at"],
        true_probability=row["true_probability"],
        is_won=bool(row["is_won"]),
    )


def _activities(generator: np.random.Generator, person: Contact) -> list[Activity]:
    made: list[Activity] = []
    moment = person.created_at
    for step in _steps(generator, person):
        moment += timedelta(days=float(generator.exponential(4.0)))
        made.append(Activity("session", person.id, moment, {"engaged": step["engaged"]}))
        pages = (Activity("page_view", person.id, moment + timedelta(seconds=40 * n)) for n in range(step["pages"]))
        made += pages
    for kind, mean in (("email", 1.5), ("call", 0.5), ("meeting", 0.3 + 1.2 * person.true_probability)):
        for _ in range(int(generator.poisson(mean))):
            made.append(Activity(kind, person.id, moment + timedelta(days=float(generator.exponential(6.0)))))
    return made


def _deal(generator: np.random.Generator, person: Contact, *, deal_id: int) -> Deal:
    moment = person.created_at + timedelta(days=float(generator.exponential(10.0)))
    reached = len(STAGES) if person.is_won else int(generator.integers(1, len(STAGES) + 1))
    stages = []
    for stage in (*STAGES[:reached], "closedwon" if person.is_won else "closedlost"):
        stages.append((stage, moment))
        moment += timedelta(days=float(generator.gamma(2.0, 5.0)))
    return Deal(deal_id, person.id, person.company.id, int(100 * 10 ** generator.normal(3.8, 0.4)), tuple(stages))


def _visits(generator: np.random.Generator, person: Contact) -> Iterator[Change]:
    """The lead's sessions one by one; the last leaves exactly the row of the table.

    A CRM learns of somebody when a form is filled, with the anonymous sessions before that: the first one seen here.
    """
    current = {**person.properties, **person.custom, "sessions": 0, "engaged_sessions": 0, "page_views": 0, "is_first_visit": True}
    steps = _steps(generator, person)
    fills_form_at = int(generator.integers(len(steps)))
    for number, step in enumerate(steps):
        changed = {
            "sessions": current["sessions"] + 1,
            "page_views": current["page_views"] + step["pages"],
            **({"engaged_sessions": current["engaged_sessions"] + 1} if step["engaged"] else {}),
            **({"is_first_visit": False} if number == 1 else {}),
        }
        previous = {name: current[name] for name in changed}
        current = {**current, **changed}
        if number == fills_form_at:
            yield Change(person, "created", current, {}, current)
        elif number > fills_form_at:
            yield Change(person, "changed", changed, previous, current)


def _steps(generator: np.random.Generator, person: Contact) -> list[dict[str, Any]]:
    sessions, engaged = int(person.properties["sessions"]), int(person.properties["engaged_sessions"])
    flags = generator.permutation([True] * engaged + [False] * (sessions - engaged))
    spread = generator.multinomial(int(person.properties["page_views"]) - sessions, [1 / sessions] * sessions)
    return [{"engaged": bool(flag), "pages": 1 + int(extra)} for flag, extra in zip(flags, spread, strict=True)]


def _pick(generator: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(generator.integers(len(words)))]


def _or_missing(generator: np.random.Generator, value: Any) -> Any:
    return None if generator.random() < MISSING_SHARE else value


def _typo(generator: np.random.Generator, text: str) -> str:
    """Now and then two neighbouring letters change places."""
    if len(text) < 4 or generator.random() >= TYPO_SHARE:
        return text
    place = int(generator.integers(1, len(text) - 2))
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
