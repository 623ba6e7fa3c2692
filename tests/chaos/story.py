"""What happens next to one hand's people and deals, and in which order: drawn from the seed alone, whatever the loop does."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from data.samples import world


class What(StrEnum):
    """What may happen, in the words of both CRMs' users."""

    VISIT = "visit"  # somebody appears, or comes again
    DEAL = "deal"
    MOVE = "move"  # a deal goes on, is won, lost or opened again, or has another amount
    LINK = "link"  # a deal names another person
    UNLINK = "unlink"
    DELETE = "delete"
    RESTORE = "restore"
    MERGE = "merge"

    @property
    def is_of_people(self) -> bool:
        return self in {What.VISIT, What.DELETE, What.RESTORE, What.MERGE}


# Of steps. A visit to a HubSpot record is several events, so that about seven events in ten are visits'.
SHARES: dict[What, float] = {
    What.VISIT: 0.58,
    What.DEAL: 0.06,
    What.MOVE: 0.12,
    What.LINK: 0.03,
    What.UNLINK: 0.03,
    What.DELETE: 0.07,
    What.RESTORE: 0.07,
    What.MERGE: 0.04,
}
OPEN, WON, LOST = "open", "won", "lost"
# From each standing of a deal to the next ones, one as likely as another: it stays open about as often as it ends.
NEXT: dict[str, tuple[str, ...]] = {OPEN: (OPEN, OPEN, WON, LOST), WON: (OPEN, LOST), LOST: (OPEN, WON)}
STAGES = 5
MOST_VIEWS = 60
NEW_SHARE = 0.5  # of HubSpot's merges that make a new record of both
OWN_IDS = 90_000  # from here on above a hand's first id are those of deals and of what merges make


@dataclass(frozen=True)
class Step:
    """One thing that happens. `number`: the person it happens to, or for a deal and its links the deal.

    `person`: whom a deal names, or who goes into `number`. `new`: what both become; None: `number` itself stays.
    """

    what: What
    number: str
    values: dict[str, Any] = field(default_factory=dict)
    person: str | None = None
    new: str | None = None
    is_new: bool = False
    """Somebody appears who was not there."""


@dataclass
class Deal:
    standing: str = OPEN
    stage: int = 0
    people: list[str] = field(default_factory=list)


class Story:
    """Steps without end. What they come to stands here, too: who is there, who went, and whom deals have named."""

    def __init__(self, source: str, seed: int, hand: int, first_id: int, contacts: int) -> None:
        self.deals: dict[str, Deal] = {}
        self.named: dict[str, set[str]] = {}
        """Deal -> all whom it has ever named."""
        self.ended: set[str] = set()
        """Deals that have ever been won or lost."""
        self.merged: dict[str, str] = {}
        """Who went into another -> that one."""
        self.went: set[str] = set()
        """Who was ever deleted or merged."""
        self._source, self._first_id, self._made = source, first_id, 0
        self._live: list[str] = []
        self._bin: list[str] = []
        self._random = random.Random(f"{seed}/{hand}/story")
        self._visits = world.live(seed, first_id=first_id, contacts=contacts, warm=True)
        self._next: dict[What, Callable[[], Step | None]] = {
            What.VISIT: self._visit, What.DEAL: self._deal, What.MOVE: self._move, What.LINK: self._link,
            What.UNLINK: self._unlink, What.DELETE: self._delete, What.RESTORE: self._restore, What.MERGE: self._merge,
        }  # fmt: skip

    def steps(self) -> Iterator[Step]:
        """What cannot happen yet, as there is nobody whom it could happen to, is left out."""
        while True:
            (what,) = self._random.choices(list(SHARES), list(SHARES.values()))
            if (step := self._next[what]()) is not None:
                yield step

    def path(self, number: str) -> list[str]:
        """A person, and whom that one went into, up to who it is by now."""
        found = [number]
        while found[-1] in self.merged:
            found.append(self.merged[found[-1]])
        return found

    def now(self, number: str) -> str:
        """Who a person is by now."""
        return self.path(number)[-1]

    def _visit(self) -> Step:
        """Nobody works on what is in the recycle bin. Who was merged comes again as who they are now."""
        for change in self._visits:
            number = self.now(str(change.contact.id))
            if change.verb == "created":
                self._live.append(number)
                return Step(What.VISIT, number, change.current, is_new=True)
            if number in self._live:
                return Step(What.VISIT, number, change.changed)
        raise RuntimeError("nobody comes any more")

    def _deal(self) -> Step | None:
        if not self._live:
            return None
        number, person = self._own_id(), self._random.choice(self._live)
        self.deals[number], self.named[number] = Deal(people=[person]), {person}
        return Step(What.DEAL, number, {"amount": self._amount(), "stage": 0}, person)

    def _move(self) -> Step | None:
        if not self.deals:
            return None
        number = self._random.choice(list(self.deals))
        deal = self.deals[number]
        before, deal.standing = deal.standing, self._random.choice(NEXT[deal.standing])
        self.ended |= {number} if deal.standing != OPEN else set()
        if before == deal.standing == OPEN and self._random.random() < 0.5:
            return Step(What.MOVE, number, {"amount": self._amount()})
        if deal.standing == OPEN:
            deal.stage = self._random.choice([stage for stage in range(STAGES) if stage != deal.stage])
        moved = {"stage": deal.stage} if deal.standing == OPEN else {}
        return Step(What.MOVE, number, moved | ({"standing": deal.standing} if deal.standing != before else {}))

    def _link(self) -> Step | None:
        """In Pipedrive a deal has one person: the other one takes the place."""
        if not self.deals:
            return None
        number = self._random.choice(list(self.deals))
        people = self.deals[number].people
        mine = self._of(people)
        others = [person for person in self._live if person not in mine]
        if not others:
            return None
        person = self._random.choice(others)
        if self._source == "pipedrive":
            people.clear()
        people.append(person)
        self.named[number].add(person)
        return Step(What.LINK, number, person=person)

    def _unlink(self) -> Step | None:
        """Only from who is there: whom HubSpot has in its recycle bin it shows no links of."""
        if not self.deals:
            return None
        number = self._random.choice(list(self.deals))
        deal = self.deals[number]
        found = [person for person in self._of(deal.people) if person in self._live]
        if not found:
            return None
        person = self._random.choice(found)
        deal.people = [each for each in deal.people if self.now(each) != person]
        return Step(What.UNLINK, number, person=person)

    def _delete(self) -> Step | None:
        if not self._live:
            return None
        number = self._taken(self._live)
        self._bin.append(number)
        self.went.add(number)
        return Step(What.DELETE, number)

    def _restore(self) -> Step | None:
        if not self._bin:
            return None
        number = self._taken(self._bin)
        self._live.append(number)
        return Step(What.RESTORE, number, {"page_views": self._random.randrange(1, MOST_VIEWS)})

    def _merge(self) -> Step | None:
        if len(self._live) < 2:
            return None
        gone, stays = self._taken(self._live), self._taken(self._live)
        makes_new = self._source == "hubspot" and self._random.random() < NEW_SHARE
        new = self._own_id() if makes_new else None
        self._live.append(new or stays)
        parts = [gone, stays] if new else [gone]
        self.merged |= dict.fromkeys(parts, new or stays)
        self.went.update(parts)
        return Step(What.MERGE, stays, person=gone, new=new)

    def _of(self, people: list[str]) -> list[str]:
        """Who these are by now, each once and in this order: a set's order would be another in each process."""
        return list(dict.fromkeys(self.now(person) for person in people))

    def _taken(self, people: list[str]) -> str:
        return people.pop(self._random.randrange(len(people)))

    def _amount(self) -> int:
        return self._random.randrange(1_000, 90_000)

    def _own_id(self) -> str:
        self._made += 1
        return str(self._first_id + OWN_IDS + self._made)
