"""Examples and labels from the facts of the warehouse: whom, as of when, and whether it was won after that.

- An example is a contact at a moment at which the loop would have scored it: an event of it had just become known, and what
  was looked up for it (a look-up by itself asks nothing, nor does what we wrote ourselves). Of each contact a few such moments
  are taken, spread evenly over its events: all of them would let the busiest few teach what the others should.
- It is won (1) if the contact is won within HORIZON of the moment: by itself (HubSpot: it becomes a customer) or by a deal
  that names it. Of a deal that was opened again only its last end counts. Otherwise it is lost (0), whether somebody said so or
  nothing happened. Moments at or after the first time that it was won are no examples. Who was won already when the CRM was
  first asked is none at all: nobody knows since when.
- A moment that is younger than HORIZON is open and is no example, even if its end is known: those that end soon are all
  that would be seen of the young ones, and the newest examples, which judge a version, would be won or lost too often.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from data.domain.entity import EntityKind
from data.domain.event import EARLIEST, OUR_PREFIX
from data.domain.fact import NAMELESS, Origin
from data.domain.outcome import CONTACT_ENDINGS, ENDINGS, Result
from data.domain.relation import LINK
from ml.features.facts import EXAMPLES, MOMENT

HORIZON = timedelta(days=60)  # what the score promises: the probability of being won within 60 days
MOST_MOMENTS = 3
LOOKED_UP_WITHIN = timedelta(minutes=15)  # a look-up so soon after an event was made for it

LABELLED: dict[str, Any] = {**EXAMPLES, "label": pl.Int8, "closed_at": MOMENT}


@dataclass(frozen=True)
class Labelled:
    """`examples`: the columns of LABELLED, in the order of time; `entity` groups what must stay on one side of a split.

    `young`: moments that are not used since their end is not in sight yet.
    """

    examples: pl.DataFrame
    young: int


def label_contacts(facts: pl.DataFrame, now: datetime) -> Labelled:
    """Examples with their labels, of all contacts in a frame of facts (under our names).

    `closed_at` is when the end was seen: won, said to be lost, or the horizon reached.
    """
    ends = _ends(facts)
    followed, young = _followed(_moments(facts), ends, now)
    return Labelled(_ended(_spread(followed), ends).select(list(LABELLED)), young)


def label_moments(facts: pl.DataFrame, moments: pl.DataFrame, now: datetime) -> Labelled:
    """The same for moments at which somebody was really scored: by the same rules, so that a live rate can be compared.

    `moments` has `entity`, `as_of`, and any other columns, which are kept.
    """
    ends = _ends(facts)
    followed, young = _followed(moments, ends, now)
    return Labelled(_ended(followed, ends).select(*LABELLED, pl.exclude(*LABELLED, "won_at", "lost_at")), young)


def _followed(moments: pl.DataFrame, ends: pl.DataFrame, now: datetime) -> tuple[pl.DataFrame, int]:
    """The moments before the first win whose end is in sight, with `won_at`; and how many are too young."""
    first_won = ends.filter(won=True).group_by("entity").agg(won_at=pl.col("closed_at").min())
    joined = moments.join(first_won, on="entity", how="left")
    chance = joined.filter(pl.col("won_at").is_null() | (pl.col("as_of") < pl.col("won_at")))
    followed = chance.filter(pl.col("as_of") <= now - HORIZON)
    return followed, len(chance) - len(followed)


def _ended(followed: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    """With `label` and `closed_at`, in the order of time."""
    lost = ends.filter(won=False).select("entity", lost_at="closed_at").sort("lost_at")
    chosen = followed.sort("as_of").join_asof(
        lost,
        left_on="as_of",
        right_on="lost_at",
        by="entity",
        strategy="forward",
        allow_exact_matches=False,  # what is known at the moment is no end of what follows it: who was lost may come back
        check_sortedness=False,
    )
    end = pl.col("as_of") + HORIZON
    won, said = pl.col("won_at") <= end, pl.col("lost_at") <= end
    return chosen.with_columns(
        label=won.fill_null(value=False).cast(pl.Int8),
        closed_at=pl.when(won).then("won_at").when(said).then("lost_at").otherwise(end),
    ).sort("as_of", "entity")


def _ends(facts: pl.DataFrame) -> pl.DataFrame:
    """When contacts were won or lost: `entity`, `won`, `closed_at`."""
    own = _told(facts, EntityKind.CONTACT, CONTACT_ENDINGS)
    deals = _told(facts, EntityKind.DEAL, ENDINGS, only_last=True).rename({"entity": "deal"})
    links = facts.filter(kind=EntityKind.DEAL.value).drop_nulls("target").select(deal="entity", entity="target").unique()
    contacts = facts.filter(kind=EntityKind.CONTACT.value).select("entity").unique()
    by_deal = deals.join(links, on="deal").join(contacts, on="entity", how="semi")
    return pl.concat([own, by_deal.select(own.columns)])


def _told(
    facts: pl.DataFrame, kind: EntityKind, endings: dict[tuple[str, str], Result], *, only_last: bool = False
) -> pl.DataFrame:
    """What was told of ends. `only_last`: without those that the same property took back, as when a deal is opened again.

    A contact that is a customer may go on to be something else, and was won all the same.
    """
    words = pl.DataFrame(
        [(name, word, result is Result.WON) for (name, word), result in endings.items()],
        schema={"name": pl.String, "word": pl.String, "won": pl.Boolean},
        orient="row",
    )
    said = facts.filter(pl.col("kind") == kind.value, pl.col("name").is_in(words["name"].unique().to_list()))
    first = pl.col("known_at") == pl.col("known_at").min().over("entity", "name")
    found_so = first & (pl.col("origin") == Origin.LOOKUP.value)
    dated = said.with_columns(
        word=pl.col("value").str.to_lowercase(),
        closed_at=pl.when(found_so).then(pl.lit(EARLIEST, MOMENT)).otherwise("occurred_at"),
    )
    if only_last:
        dated = _not_taken_back(dated.join(words, on=["name", "word"], how="left"))
    return dated.join(words, on=["name", "word"]).select("entity", "won", "closed_at")


def _not_taken_back(said: pl.DataFrame) -> pl.DataFrame:
    """Without what was followed by another result, or by none. A deletion takes nothing back: it says no more of how it ended."""
    of_one = ("entity", "name")
    says = pl.col("won").cast(pl.Int8).fill_null(-1)
    ordered = said.drop_nulls("value").sort("occurred_at", "known_at", "id").with_columns(says=says)
    changes = (pl.col("says") != pl.col("says").shift(-1)).fill_null(value=False).cast(pl.Int64)
    return ordered.filter(changes.cum_sum(reverse=True).over(of_one) == 0).drop("won", "says")


def _moments(facts: pl.DataFrame) -> pl.DataFrame:
    """When something about a contact became known that may ask the model, with its look-up: `entity`, `as_of`."""
    name = pl.col("name")
    asks = pl.col("value").is_not_null() & ~name.str.starts_with(OUR_PREFIX) & ~name.str.starts_with(LINK)
    heard = facts.filter(
        pl.col("kind") == EntityKind.CONTACT.value,
        pl.col("origin") != Origin.LOOKUP.value,
        ~pl.col("by_us"),
        asks | (name == NAMELESS),  # it was created, and its CRM said no more
    )
    told = heard.select("entity", as_of=pl.max_horizontal("occurred_at", "known_at")).unique().sort("as_of")
    looked = facts.filter(kind=EntityKind.CONTACT.value, origin=Origin.LOOKUP.value).select("entity", looked_at="known_at")
    joined = told.join_asof(
        looked.unique().sort("looked_at"), left_on="as_of", right_on="looked_at", by="entity", strategy="forward",
        tolerance=LOOKED_UP_WITHIN, check_sortedness=False,
    )  # fmt: skip
    return joined.select("entity", as_of=pl.coalesce("looked_at", "as_of")).unique()


def _spread(moments: pl.DataFrame) -> pl.DataFrame:
    """At most MOST_MOMENTS of each entity: the middle one of each part, its moments cut into as many equal parts."""
    ordered = moments.sort("entity", "as_of").with_columns(place=pl.int_range(pl.len()).over("entity"), of=pl.len().over("entity"))
    part = pl.col("place") * MOST_MOMENTS // pl.max_horizontal("of", MOST_MOMENTS)
    middle = pl.int_range(pl.len()).over("entity", part) == pl.len().over("entity", part) // 2
    return ordered.filter(middle).drop("place", "of")
