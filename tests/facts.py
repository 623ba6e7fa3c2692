"""Facts for tests: made by hand or by Hypothesis."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from random import Random

import polars as pl
from hypothesis import strategies as st

from data.domain.fact import NAMELESS
from data.warehouse.fact_frames import SCHEMA
from ml.features.engagement import COUNTERS
from ml.features.facts import EXAMPLES
from tests.support import NOON

CONTACTS, COMPANIES, DEALS, NOTES, CALLS, EMAILS = (1, 2), (11, 12), (21, 22), (31, 32, 33), (34,), (35, 36)
# Whom a story is about: of few there is more to tell.
DENSE = (
    (*CONTACTS, *COMPANIES, *DEALS, *NOTES),
    (*COMPANIES, *DEALS),
    (*NOTES, *CALLS, *EMAILS),
    CONTACTS[:1],
    DEALS[:1],
    NOTES[:1],
)
BYSTANDERS = tuple(range(41, 50))  # deals whose stays are what is usual
OF_KIND = {"contact": CONTACTS, "company": COMPANIES, "deal": (*DEALS, *BYSTANDERS), "note": NOTES, "call": CALLS, "email": EMAILS}
KINDS = {entity: kind for kind, entities in OF_KIND.items() for entity in entities}
Saying = tuple[str, str | None, int | None]  # a property, its value, whom it names
WRITTEN = {"hs_note_body": "note", "content": "note", "body": "note", "hs_call_body": "call"}
HEARD = {**WRITTEN, "hs_email_text": "email"}
PLAIN = {
    "<p>Too dear</p>": "Too dear", "call &amp; send<br/>it": "call & send it", "<br>": None, "5 < 6 > 4": "5 < 6 > 4",
    "Very <b>happy</b>": "Very happy", "Leider nicht<br>zufrieden": "Leider nicht zufrieden",
}  # fmt: skip
MOODS = {"call & send it": 0.0, "Very happy": 0.5574, "Leider nicht zufrieden": -0.5393}
MOST_NOTES = 5
DAYS = 120
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Told:
    """One row of a frame of facts, by days since NOON; `known` is not before `occurred` unless the vendor's clock was ahead."""

    entity: int
    name: str
    value: str | None
    occurred: float
    known: float
    id: int = 0
    event: int | None = None
    target: int | None = None
    by_us: bool = False
    origin: str = "event"

    @property
    def visible(self) -> float:
        return max(self.occurred, self.known)

    @property
    def rank(self) -> tuple[float, float, int]:
        return self.occurred, self.known, self.id


def frame(told: Iterable[Told], kinds: Mapping[int, str] = KINDS) -> pl.DataFrame:
    rows = []
    for one in told:
        row = asdict(one) | {"source": "hubspot", "kind": kinds[one.entity]}
        rows.append(row | {"occurred_at": moment(one.occurred), "known_at": moment(one.known)})
    return pl.DataFrame(rows, schema=SCHEMA)


def examples(asked: Iterable[tuple[int, float]]) -> pl.DataFrame:
    return pl.DataFrame([(entity, moment(day)) for entity, day in asked], schema=EXAMPLES, orient="row")


def moment(day: float) -> datetime:
    return NOON + day * DAY


def _links(*targets: int) -> list[Saying]:
    """A link is made twice as often as it is undone."""
    return [
        (f"link:{KINDS[target]}:{target}", value, target if value else None)
        for target in targets
        for value in ("true", "true", None)
    ]


def _of_words(name: str, words: Iterable[str | None]) -> list[Saying]:
    return [(name, word, None) for word in words]


def _naming(name: str, targets: Iterable[int]) -> list[Saying]:
    return [(name, None, None), *((name, str(target), target) for target in targets)]


_NUMBERS = (None, *map(str, range(6)))
_WORDS = (None, "EMAIL", " referral ", "x")
_STAGES = ("new", "demo", "closedwon", "closedlost")
# What each kind of entity may say: one list of sayings for each property, all of them as likely.
SAYINGS: dict[str, list[list[Saying]]] = {
    "contact": [
        *(_of_words(name, _NUMBERS) for name in (*COUNTERS, "hubspot_owner_id", "predicted_score", "company_size")),
        *(_of_words(name, _WORDS) for name in ("channel", "job")),
        _naming("associatedcompanyid", COMPANIES),
        _links(*COMPANIES),
        [(NAMELESS, None, None)],
    ],
    "company": [_of_words("size", _NUMBERS), _of_words("industry", _WORDS)],
    "deal": [
        *(_of_words(name, _STAGES) for name in ("dealstage", "stage")),
        *(_of_words(name, _NUMBERS) for name in ("amount", "predicted_score")),
        _naming("associatedcompanyid", COMPANIES),
        _naming("person_id", CONTACTS),
        _links(*CONTACTS, *COMPANIES),
    ],
    "note": [
        *(_of_words(name, (None, *PLAIN)) for name in ("hs_note_body", "hs_note_body", "content", "body")),
        _naming("person_id", CONTACTS),
        _naming("deal_id", DEALS),
        _links(*CONTACTS, *DEALS),
        _links(*CONTACTS, *DEALS),
    ],
    "email": [
        *(_of_words(name, (None, *PLAIN)) for name in ("hs_email_text", "content")),
        _of_words("hs_email_direction", ("EMAIL", "INCOMING_EMAIL", None)),
        _naming("person_id", CONTACTS),
        _naming("deal_id", DEALS),
        _links(*CONTACTS, *DEALS),
    ],
    "call": [
        *(_of_words(name, (None, *PLAIN)) for name in ("hs_call_body", "content")),
        _naming("person_id", CONTACTS),
        _links(*CONTACTS, *DEALS),
    ],
}


def long_story(random: Random, facts: int) -> list[Told]:
    """Enough facts for everything to happen to everybody again and again; many of them late."""
    told = []
    for number in range(facts):
        entity = random.choice(tuple(KINDS))
        name, value, target = random.choice(random.choice(SAYINGS[KINDS[entity]]))
        occurred, delay = moment_of(random, DAYS), random.choice([0, 0, moment_of(random, 40)])
        told.append(Told(entity, name, value, occurred, occurred + delay, number, number, target))
    return told


def moment_of(random: Random, days: int) -> float:
    """Some day within so many, to the 64th: whole microseconds, and no two facts fall together often."""
    return random.randrange(64 * days) / 64


@st.composite
def stories(draw: st.DrawFn, *, most: int = 40) -> list[Told]:
    """Facts of two contacts, two companies, two deals and some notes, in any order, late ones and our own among them.

    At most enough of them for stages to come out of order, for two deals of one company to end, and for more than one note
    of somebody. Now and then other deals stayed in the same stages, so that there are norms.
    """
    told = draw(_stays()) if draw(st.booleans()) else []
    entities = draw(st.sampled_from(DENSE))
    for number in range(1, draw(st.sampled_from([0, 5, most, most])) + 1):
        entity = draw(st.sampled_from(entities))
        name, value, target = draw(st.sampled_from(SAYINGS[KINDS[entity]]).flatmap(st.sampled_from))
        occurred = 4 * draw(st.integers(0, DAYS // 4))  # so that some fall together
        delay = draw(st.sampled_from([0, 0, 0, 1, 8, 40]))
        origin = draw(st.sampled_from(["event", "event", "event", "lookup", "backfill"]))
        event = number if origin == "event" else None
        if event is not None and told and draw(st.booleans()) and _may_share(told[-1], entity, name):
            event, occurred, delay = told[-1].event, int(told[-1].occurred), int(told[-1].known - told[-1].occurred)
        by_us = draw(st.integers(0, 9)) == 0
        told.append(Told(entity, name, value, occurred, occurred + delay, number, event, target, by_us, origin))
    return draw(st.permutations(told))


@st.composite
def _stays(draw: st.DrawFn) -> list[Told]:
    """Each of BYSTANDERS was in one stage, and then in another; the news of it came some days later."""
    told = []
    for place, deal in enumerate(BYSTANDERS):
        begin, days, delay = draw(st.tuples(st.integers(0, 60), st.integers(1, 30), st.sampled_from([0, 0, 20])))
        moves = [("demo", begin), ("closedwon", begin + days)]
        told += [
            Told(deal, "dealstage", stage, day, day + delay, number, number)
            for number, (stage, day) in enumerate(moves, 1_000 + 2 * place)
        ]
    return told


def _may_share(before: Told, entity: int, name: str) -> bool:
    return before.event is not None and before.entity == entity and before.name != name
