"""The synthetic CRM hangs together: what happened adds up to what its records say, live as well as before."""

from collections import Counter, defaultdict
from functools import cache
from itertools import islice, pairwise
from typing import Any

import pytest

from data.samples import leads
from data.samples.world import ENDS, STEMS, TITLES, Change, History, history, live

COMPANY_NAMES = {f"{stem} {end}" for stem in STEMS for end in ENDS}


@cache
def past() -> History:
    return history(400, seed=3)


@cache
def changes(*, warm: bool = False) -> tuple[Change, ...]:
    return tuple(live(3, contacts=300, warm=warm))


def of_each_contact(found: tuple[Change, ...]) -> dict[int, list[Change]]:
    grouped: dict[int, list[Change]] = defaultdict(list)
    for change in found:
        grouped[change.contact.id].append(change)
    return grouped


@pytest.mark.slow
def test_the_same_seed_has_the_same_history() -> None:
    assert history(50, seed=1) == history(50, seed=1)
    assert history(50, seed=1) != history(50, seed=2)


@pytest.mark.slow
def test_the_same_seed_lives_the_same_life() -> None:
    assert list(islice(live(1), 50)) == list(islice(live(1), 50))
    assert list(islice(live(1), 50)) != list(islice(live(2), 50))


def test_contacts_are_rows_of_the_leads_table() -> None:
    rows = leads.table(400, 3).to_dicts()
    for contact, row in zip(past().contacts, rows, strict=True):
        assert {name: contact.properties[name] for name in leads.COLUMNS} == {name: row[name] for name in leads.COLUMNS}
        assert (contact.created_at, contact.is_won, contact.true_probability) == (
            row["created_at"],
            bool(row["is_won"]),
            row["true_probability"],
        )


def test_ids_and_addresses_are_unique() -> None:
    for things in (past().companies, past().contacts, past().deals):
        assert max(Counter(thing.id for thing in things).values()) == 1
    addresses = [contact.properties["email"] for contact in past().contacts]
    assert len(set(addresses)) == len(addresses)
    assert all(address.isascii() and address.endswith(".example") for address in addresses)


def test_activities_add_up_to_the_contacts_numbers() -> None:
    counted: Counter[tuple[int, str]] = Counter()
    for activity in past().activities:
        counted[activity.contact_id, activity.kind] += 1
        counted[activity.contact_id, "engaged"] += bool(activity.properties.get("engaged"))
    for contact in past().contacts:
        found = [counted[contact.id, name] for name in ("session", "engaged", "page_view")]
        assert found == [contact.properties[name] for name in ("sessions", "engaged_sessions", "page_views")]


def test_activities_are_in_order_and_after_their_contact_appeared() -> None:
    created = {contact.id: contact.created_at for contact in past().contacts}
    times = [activity.occurred_at for activity in past().activities]
    assert times == sorted(times)
    assert all(activity.occurred_at >= created[activity.contact_id] for activity in past().activities)


def test_deals_go_forward_and_end_as_the_lead_did() -> None:
    contacts = {contact.id: contact for contact in past().contacts}
    for deal in past().deals:
        contact = contacts[deal.contact_id]
        names, times = zip(*deal.stages, strict=True)
        assert list(times) == sorted(set(times))
        assert times[0] >= contact.created_at
        assert names[-1] == ("closedwon" if contact.is_won else "closedlost")
        assert not {"closedwon", "closedlost"} & set(names[:-1])
        assert (deal.company_id, deal.amount_cents > 0) == (contact.company.id, True)


def test_every_won_lead_has_one_deal_and_some_lost_ones_do() -> None:
    with_deal = Counter(deal.contact_id for deal in past().deals)
    assert max(with_deal.values()) == 1
    assert all(contact.id in with_deal for contact in past().contacts if contact.is_won)
    assert sum(contact.id in with_deal for contact in past().contacts if not contact.is_won) > 0
    assert any(contact.id not in with_deal for contact in past().contacts)


def test_companies_are_those_of_the_contacts() -> None:
    assert {company.id: company for company in past().companies} == {
        contact.company.id: contact.company for contact in past().contacts
    }


@pytest.mark.parametrize("name", ["job_title", "team_size", "newsletter"])
def test_some_values_are_missing_and_most_are_not(name: str) -> None:
    missing = sum(contact.custom[name] is None for contact in past().contacts) / len(past().contacts)
    assert 0.03 < missing < 0.3


def test_a_few_names_and_titles_have_typos() -> None:
    names = [company.name in COMPANY_NAMES for company in past().companies]
    titles = [title in TITLES for contact in past().contacts if (title := contact.custom["job_title"])]
    for right in (names, titles):
        assert 0.8 < sum(right) / len(right) < 1


def test_a_typo_only_swaps_letters() -> None:
    letters = {tuple(sorted(name)) for name in COMPANY_NAMES}
    assert all(tuple(sorted(company.name)) in letters for company in past().companies)


def test_each_live_contact_is_created_once_and_changes_after_that() -> None:
    for found in of_each_contact(changes()).values():
        assert [change.verb for change in found] == ["created", *["changed"] * (len(found) - 1)]


def test_every_live_contact_ends_as_its_row_of_the_table() -> None:
    grouped = of_each_contact(changes())
    assert len(grouped) == 300
    for found in grouped.values():
        contact = found[-1].contact
        assert found[-1].current == {**contact.properties, **contact.custom}


def test_each_change_leads_from_the_state_before_it() -> None:
    for found in of_each_contact(changes()).values():
        assert (found[0].changed, found[0].previous) == (found[0].current, {})
        state: dict[str, Any] = found[0].current
        for change in found[1:]:
            assert change.changed
            assert change.previous == {name: state[name] for name in change.changed}
            assert change.current == {**state, **change.changed}
            state = change.current


def test_live_contacts_overlap() -> None:
    order = [change.contact.id for change in changes()]
    switches = sum(one != other for one, other in pairwise(order))
    assert switches > len(set(order))


def test_live_ids_begin_where_they_are_told_to() -> None:
    assert min(change.contact.id for change in live(1, first_id=7_000_001, contacts=30)) == 7_000_001


def test_warm_leads_are_likelier_to_be_won() -> None:
    def likely(found: tuple[Change, ...]) -> float:
        first = [changes[0].contact.true_probability for changes in list(of_each_contact(found).values())[:60]]
        return sum(first) / len(first)

    assert likely(changes(warm=True)) > 1.3 * likely(changes())
