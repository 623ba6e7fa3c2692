"""What others know of the company: industry, employees, revenue, country, ... by its domain, and nothing else is told to them.

Whose facts they are: the company's, where the entity belongs to one here whose own domain is known. Otherwise the contact's,
by the domain of its e-mail address, which might be another company's than the one that the CRM links it to. Both are one
column of the features. They have names that no CRM has, so what a CRM says itself stays as it is.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlmodel import Session

from automation import knowledge
from automation.belonging import companies
from automation.company_data import Known, Memory, answered_by, look_up, remembered
from automation.enrichments.base import Answers, Asked, Found
from automation.memory import LookedUp
from automation.pipeline.context import Loop
from automation.sources.properties import canonical
from data.domain.company_profile import PROFILE_NAMES
from data.domain.entity import EntityKind, EntityRef
from data.domain.fact import newest, text_of
from data.domain.web_domain import of_address, of_site
from data.warehouse import facts
from data.warehouse.entities import EntityRow

KINDS = (EntityKind.CONTACT, EntityKind.COMPANY, EntityKind.DEAL)
SITES = ("domain", "website")  # HubSpot's, and what accounts and our own JSON call it
AT_ONCE = 8  # a provider allows some fifteen calls a second


@dataclass(frozen=True)
class Whose:
    """Whom the profile of a domain is about, and what is stored of it already."""

    ref: EntityRef
    domain: str
    stored: Mapping[str, str | None]

    @property
    def of_contact(self) -> bool:
        return self.ref.kind is not EntityKind.COMPANY


def ask(loop: Loop, asked: Sequence[Asked], answers: Answers) -> None:
    """What is known of each entity's company, if anybody who could know is configured."""
    these = [each for each in asked if each.ref.kind in KINDS and each.entity.merged_into_id is None]
    if not loop.clients.company_data or not these:
        return
    with loop.database.read() as session:
        whose = _whose(session, these)
    waiting: dict[str, list[int]] = defaultdict(list)
    told = remembered(loop, {one.domain for one in whose.values()})
    for number, one in whose.items():
        if (known := answered_by(loop, one.domain, told)) is not None:
            answers.put(number, _found(one, known))
        else:
            waiting[one.domain].append(number)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="company-data") as pool:
        begun = [
            pool.submit(_look_up, loop, domain, told, {number: whose[number] for number in numbers}, answers)
            for domain, numbers in waiting.items()
        ]
    for one_domain in begun:
        one_domain.result()  # raises what it raised


def _look_up(loop: Loop, domain: str, told: Memory, whose: Mapping[int, Whose], answers: Answers) -> None:
    if answers.closed:
        return
    known = look_up(loop, domain, told)
    for number, one in whose.items():
        answers.put(number, _found(one, known))


def _found(one: Whose, known: Known) -> Found:
    if known.profile is None or known.at is None:
        return Found(problem=known.problem)
    values = known.profile.as_properties(of_contact=one.of_contact)
    if all(one.stored.get(name) == text_of(value) for name, value in values.items()):
        return Found()
    return Found(look_ups=(LookedUp(one.ref, known.at, values, frozenset(), of_record=False),))


def _whose(session: Session, asked: Sequence[Asked]) -> dict[int, Whose]:
    """Entity id -> whom its company's profile is about; those without a domain that is a company's are not there."""
    rows = [each.entity for each in asked]
    theirs = companies(session, rows, {each.entity_id: each.look_ups for each in asked})
    sites = _sites(session, theirs.values())
    known = knowledge.known(session, rows)
    found: dict[int, tuple[EntityRow, str]] = {}
    for each in asked:
        company = theirs.get(each.entity_id)
        if company is not None and (site := sites.get(company.id)) is not None:
            found[each.entity_id] = company, site
        elif (own := of_address(_email(each, known[each.entity_id].values))) is not None:
            found[each.entity_id] = each.entity, own
    stored = facts.of_entities(session, {row.id for row, _ in found.values() if row.id is not None}, PROFILE_NAMES)
    told = {number: {name: fact.value for name, fact in newest(of).items()} for number, of in stored.items()}
    return {number: Whose(row.ref, domain, told[row.id]) for number, (row, domain) in found.items() if row.id is not None}


def _sites(session: Session, rows: Iterable[EntityRow]) -> dict[int | None, str]:
    """Company -> its own domain, as its record tells it."""
    ids = {row.id for row in rows if row.id is not None}
    found: dict[int | None, str] = {}
    for number, told in facts.of_entities(session, ids, SITES).items():
        values = newest(told)
        sites = (of_site(values[name].value) for name in SITES if name in values)
        if (site := next((site for site in sites if site is not None), None)) is not None:
            found[number] = site
    return found


def _email(each: Asked, stored: Mapping[str, str | None]) -> str | None:
    """The address as it was just read, or as it is stored."""
    for read_now in each.look_ups:
        if "email" in (read := canonical(each.ref.source, read_now.values, ())):
            return text_of(read["email"])
    return stored.get("email")
