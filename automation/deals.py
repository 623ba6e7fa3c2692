"""What the open deals of records are worth, by what is known of them here."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from sqlmodel import Session

from automation.sources.properties import MONEY
from data.domain.entity import EntityKind
from data.domain.fact import Fact, newest
from data.domain.money import Account, Money, currency_of
from data.domain.outcome import ENDINGS
from data.domain.relation import RELATIONS, Role, link_name
from data.warehouse import facts
from data.warehouse.entities import EntityRow
from ml.features.inputs import Input, InputKind, typed_value

AMOUNT = Input(name="amount", kind=InputKind.NUMBER)
NAMING_A_CONTACT = frozenset(name for names in RELATIONS.values() for name, role in names.items() if role is Role.CONTACT)


def open_deals(session: Session, owners: Mapping[int, EntityRow], accounts: Mapping[str, Account]) -> dict[int, tuple[Money, ...]]:
    """Each open deal of these entities: of a contact those that name it or are linked to it, of a deal itself.

    Two queries, however many they are. What says no currency is in the account's; where that is not known either, or there is
    no amount, it is left out.
    """
    contacts = {number: row for number, row in owners.items() if row.kind == EntityKind.CONTACT}
    deals = facts.naming(session, contacts, EntityKind.DEAL)
    deals |= {number: row for number, row in owners.items() if row.kind == EntityKind.DEAL}
    told = facts.of_entities(session, deals, _names(contacts.values())) if deals else {}
    found: dict[int, list[Money]] = {number: [] for number in owners}
    for number, row in deals.items():
        current = newest(told[number])
        worth = worth_of(row.source, current, accounts.get(row.source, Account()))
        if worth is not None:
            for owner in {number, *_named(current, contacts)} & found.keys():
                found[owner].append(worth)
    return {number: tuple(each) for number, each in found.items()}


def worth_of(source: str, current: Mapping[str, Fact], account: Account) -> Money | None:
    """What a deal is worth by what was told of it last; None where it has ended, or nobody knows."""
    if source not in MONEY or any((fact.name, str(fact.value).lower()) in ENDINGS for fact in current.values()):
        return None
    amount, currency = (current[name].value if name in current else None for name in MONEY[source])
    number, code = typed_value(AMOUNT, amount, strictly=False), currency_of(currency)
    code = code or (account.currency if currency is None else None)
    return Money(Decimal(str(number)), code) if isinstance(number, float) and code is not None else None


def _names(contacts: Iterable[EntityRow]) -> set[str]:
    told = {name for names in MONEY.values() for name in names} | {name for name, _ in ENDINGS} | NAMING_A_CONTACT
    return told | {link_name(row.ref) for row in contacts}


def _named(current: Mapping[str, Fact], contacts: Mapping[int, EntityRow]) -> set[int]:
    """The contacts that a deal belongs to now: those that a property of it names, and those that it is linked to."""
    found = (fact.target_id for fact in current.values() if fact.value is not None)
    return {target for target in found if target is not None and target in contacts}
