"""What the open deals of records are worth, by what is known of them here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from sqlmodel import Session

from automation.sources.properties import HOME_AMOUNT, MONEY
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


@dataclass(frozen=True)
class Worth:
    """What a deal is worth in its own currency, and in the account's where that is known."""

    own: Money
    home: Money | None


def open_deals(session: Session, owners: Mapping[int, EntityRow], accounts: Mapping[str, Account]) -> dict[int, tuple[Money, ...]]:
    """Each open deal of these entities: of a contact those that name it or are linked to it, of a deal itself.

    Two queries, however many they are. What says no currency is in the account's; where that is not known either, or there is
    no amount, it is left out. All are in the account's currency where the CRM has converted those that are in another; where it
    has not converted one of them, each is in its own.
    """
    contacts = {number: row for number, row in owners.items() if row.kind == EntityKind.CONTACT}
    deals = facts.naming(session, contacts, EntityKind.DEAL)
    deals |= {number: row for number, row in owners.items() if row.kind == EntityKind.DEAL}
    told = facts.of_entities(session, deals, _names(contacts.values())) if deals else {}
    found: dict[int, list[Worth]] = {number: [] for number in owners}
    for number, row in deals.items():
        current = newest(told[number])
        worth = worth_of(row.source, current, accounts.get(row.source, Account()))
        if worth is not None:
            for owner in {number, *_named(current, contacts)} & found.keys():
                found[owner].append(worth)
    return {number: in_one_currency(each) for number, each in found.items()}


def worth_of(source: str, current: Mapping[str, Fact], account: Account) -> Worth | None:
    """What a deal is worth by what was told of it last; None where it has ended, or nobody knows."""
    if source not in MONEY or any((fact.name, str(fact.value).lower()) in ENDINGS for fact in current.values()):
        return None
    amount, currency = (current[name].value if name in current else None for name in MONEY[source])
    number, code = _number(amount), currency_of(currency)
    code = code or (account.currency if currency is None else None)
    if number is None or code is None:
        return None
    own = Money(number, code)
    return Worth(own, own if code == account.currency else _converted(source, current, account))


def in_one_currency(found: Iterable[Worth]) -> tuple[Money, ...]:
    """All in the account's currency; where one of them is not known in it, each in its own."""
    worths = tuple(found)
    homes = tuple(each.home for each in worths if each.home is not None)
    return homes if len(homes) == len(worths) else tuple(each.own for each in worths)


def _converted(source: str, current: Mapping[str, Fact], account: Account) -> Money | None:
    """What the CRM has converted, unless amount or currency have changed since."""
    told = current.get(HOME_AMOUNT.get(source, ""))
    if told is None or account.currency is None or (number := _number(told.value)) is None:
        return None
    is_stale = any(current[name].occurred_at > told.occurred_at for name in MONEY[source] if name in current)
    return None if is_stale else Money(number, account.currency)


def _number(text: str | None) -> Decimal | None:
    number = typed_value(AMOUNT, text, strictly=False)
    return Decimal(str(number)) if isinstance(number, float) else None


def _names(contacts: Iterable[EntityRow]) -> set[str]:
    told = {name for names in MONEY.values() for name in names} | {*HOME_AMOUNT.values()} | {name for name, _ in ENDINGS}
    return told | NAMING_A_CONTACT | {link_name(row.ref) for row in contacts}


def _named(current: Mapping[str, Fact], contacts: Mapping[int, EntityRow]) -> set[int]:
    """The contacts that a deal belongs to now: those that a property of it names, and those that it is linked to."""
    found = (fact.target_id for fact in current.values() if fact.value is not None)
    return {target for target in found if target is not None and target in contacts}
