"""Who an entity belongs to: its company's properties, its owner, and how earlier deals of the same people ended."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from data.domain.entity import EntityKind
from data.domain.outcome import ENDINGS, Result
from data.domain.relation import ROLES, Role
from ml.features.facts import NONE, Examples, Facts, column
from ml.features.properties import latest_of, names_of
from ml.features.timeline import Ints, Timeline

COMPANY = "company_"
OWNER = "owner"
DEALS = {
    "earlier_deals_won": (Role.CONTACT, Result.WON),
    "earlier_deals_lost": (Role.CONTACT, Result.LOST),
    "company_deals_won": (Role.COMPANY, Result.WON),
    "company_deals_lost": (Role.COMPANY, Result.LOST),
}
COLUMNS = (OWNER, *DEALS)


def build(examples: Examples, facts: Facts) -> dict[str, pl.Series]:
    """The owner; `company_*` for every property of the company; deals won and lost with the contact, with the company.

    A deal's own end is not counted to it.
    """
    made: dict[str, pl.Series] = {}
    if examples.wants(OWNER):
        made[OWNER] = facts.text(facts.history(*_names(Role.OWNER)).at(examples.entity, examples.at))
    if any(examples.wants(name) for name in DEALS):
        made |= _deals(examples, facts)
    return {name: series for name, series in made.items() if examples.wants(name)} | _company(examples, facts)


def _company(examples: Examples, facts: Facts) -> dict[str, pl.Series]:
    if examples.wanted is not None and not any(name.startswith(COMPANY) for name in examples.wanted):
        return {}
    company = Examples(EntityKind.COMPANY, _identity(examples, facts, Role.COMPANY), examples.at)
    if examples.wanted is None:
        names = [name for name in names_of(company, facts) if name not in ROLES]
    else:
        names = [name.removeprefix(COMPANY) for name in sorted(examples.wanted - set(COLUMNS)) if name.startswith(COMPANY)]
    return {COMPANY + name: series for name, series in latest_of(company, facts, names).items()}


def _identity(examples: Examples, facts: Facts, role: Role) -> Ints:
    """The contact or company that each example is, or belongs to at its moment; NONE where it has none."""
    if examples.kind.value == role.value:
        return examples.entity
    named = _target(facts, facts.history(*_names(role)).at(examples.entity, examples.at))
    if not (links := facts.links(EntityKind(role.value))):
        return named
    return np.where(named == NONE, _target(facts, _linked(examples, facts, links)), named)


def _target(facts: Facts, rows: Ints) -> Ints:
    return np.where(rows == NONE, NONE, facts.target[np.maximum(rows, 0)]) if len(facts) else rows


def _linked(examples: Examples, facts: Facts, links: list[str]) -> Ints:
    """The row of the last link that was made by each example's moment; NONE where there is none, or it is there no more."""
    rows = facts.rows(links)
    made = facts.latest(rows[facts.has_value[rows]]).at(examples.entity, examples.at)
    same = facts.latest(rows, by=facts.property_of(rows)).at(facts.property_of(np.maximum(made, 0)), examples.at)
    gone = (made == NONE) | ~facts.has_value[np.maximum(same, 0)]
    return np.where(gone, NONE, made)


def _names(role: Role) -> list[str]:
    return [name for name, whose in ROLES.items() if whose is role]


def _deals(examples: Examples, facts: Facts) -> dict[str, pl.Series]:
    ends = _ends(facts)
    identities = {role: _identity(examples, facts, role) for role in (Role.CONTACT, Role.COMPANY)}
    made = {}
    for name, (role, result) in DEALS.items():
        identity, these = identities[role], ends.of(result)
        counted = Timeline(these.identity, these.visible).count(identity, examples.at)
        if examples.kind is EntityKind.DEAL:
            counted -= these.own(examples, identity)
        made[name] = column(np.where(identity == NONE, np.nan, counted))
    return made


@dataclass(frozen=True)
class _Ends:
    """Ends of deals, one row for each of the deal's contacts and companies, visible when both the end and that are."""

    deal: Ints
    identity: Ints
    won: Ints
    visible: Ints

    def of(self, result: Result) -> "_Ends":
        rows = self.won == (result is Result.WON)
        return _Ends(self.deal[rows], self.identity[rows], self.won[rows], self.visible[rows])

    def own(self, examples: Examples, identity: Ints) -> Ints:
        """1 where the example is itself among the ends that are counted to its identity."""
        asked = pl.DataFrame({"deal": examples.entity, "identity": identity, "at": examples.at})
        ends = pl.DataFrame({"deal": self.deal, "identity": self.identity, "visible": self.visible})
        joined = asked.join(ends, on=["deal", "identity"], how="left", maintain_order="left")
        return joined.select((pl.col("visible") <= pl.col("at")).fill_null(value=False)).to_series().to_numpy().astype(np.int64)


def _ends(facts: Facts) -> _Ends:
    told = [name for kind in (EntityKind.CONTACT, EntityKind.COMPANY) for name in facts.links(kind)]
    linked = facts.rows([*_names(Role.CONTACT), *_names(Role.COMPANY), *told])
    linked = linked[facts.of_kind(EntityKind.DEAL)[linked] & (facts.target[linked] != NONE)]
    links = _firsts(pl.DataFrame({"deal": facts.entity[linked], "identity": facts.target[linked], "linked": facts.visible[linked]}))
    closed = _firsts(pl.concat([_closings(facts, name, value, result) for (name, value), result in ENDINGS.items()]))
    pairs = links.join(closed, on="deal").with_columns(visible=pl.max_horizontal("linked", "closed"))
    return _Ends(*(pairs[name].to_numpy() for name in ("deal", "identity", "won", "visible")))


def _closings(facts: Facts, name: str, value: str, result: Result) -> pl.DataFrame:
    rows = facts.rows([name])
    rows = rows[facts.of_kind(EntityKind.DEAL)[rows]]
    rows = rows[(facts.text(rows).str.to_lowercase() == value).fill_null(value=False).to_numpy()]
    won = np.full(len(rows), int(result is Result.WON))
    return pl.DataFrame({"deal": facts.entity[rows], "won": won, "closed": facts.visible[rows]})


def _firsts(frame: pl.DataFrame) -> pl.DataFrame:
    """The smallest last column for each combination of the others."""
    *keys, moment = frame.columns
    return frame.group_by(keys).agg(pl.col(moment).min())
