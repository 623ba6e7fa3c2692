"""Lists that are paged by position, with rows that go, come and move between two pages: nothing is hidden."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from automation.clients import pipedrive_history
from automation.clients.history import Patience
from automation.clients.pipedrive import PipedriveClient
from automation.clients.pipedrive_history import PipedriveHistory
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.entity import EntityKind

JANUARY = datetime(2026, 1, 5, 9, tzinfo=UTC)
PAGE, OVERLAP = 20, 3  # smaller ones than in earnest, and the same code
NOTES = 3 * PAGE + 5
LATER = JANUARY + timedelta(days=2)
Change = Callable[[Sandbox, list[str]], None]


def gone(first: int, last: int) -> Change:
    """The rows at these places of the list are deleted."""

    def change(box: Sandbox, at: list[str]) -> None:
        for number in at[first - 1 : last]:
            box.archive("pipedrive", "notes", number)

    return change


def come(box: Sandbox, _at: list[str]) -> None:
    for number in range(NOTES + 1, NOTES + 21):
        box.put("pipedrive", "notes", str(number), {"content": "new"}, at=LATER)


def moved(box: Sandbox, at: list[str]) -> None:
    """The row that was read last is changed, which takes it to the front of a list by time."""
    box.put("pipedrive", "notes", at[PAGE - 1], {"content": "changed"}, at=LATER)


CHANGES = {
    "one goes": gone(5, 5),
    "as many as pages overlap": gone(5, 4 + OVERLAP),
    "more than that": gone(5, 4 + 2 * OVERLAP),
    "the row that was read last": gone(PAGE, PAGE),
    "all that was read": gone(1, PAGE),
    "all that was read, and more": gone(1, PAGE + 3),
    "some come": come,
    "one moves": moved,
}
by_change = pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))


@pytest.fixture
def history(addresses: Addresses, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> PipedriveHistory:
    """Of an account with more notes than three pages take."""
    monkeypatch.setattr(pipedrive_history, "PAGE", PAGE)
    monkeypatch.setattr(pipedrive_history, "OVERLAP", OVERLAP)
    for number in range(1, NOTES + 1):
        told = {"content": f"note {number}"}
        sandbox.put("pipedrive", "notes", str(number), told, at=JANUARY + timedelta(minutes=number))
    return PipedriveHistory(PipedriveClient("pipedrive-token", addresses.pipedrive), Patience())


def before_the_second_page(sandbox: Sandbox, change: Change, *, falling: bool) -> list[str]:
    """Lets something happen between the first page and the second; returns the calls for notes, as they come."""
    calls: list[str] = []
    at = [str(number) for number in range(1, NOTES + 1)]

    def notice(_vendor: str, path: str) -> None:
        if path == "/v1/{kind}":  # of v1 only notes are read here
            calls.append(path)
            if len(calls) == 2:
                change(sandbox, at[::-1] if falling else at)

    sandbox.fault = notice
    return calls


def there(sandbox: Sandbox) -> set[str]:
    """All that nobody has changed since."""
    return {record.id for record in sandbox.records("pipedrive", "notes") if record.updated_at < LATER}


def read(history: PipedriveHistory) -> list[str]:
    """All pages of the past, one after the other."""
    page = history.past(EntityKind.NOTE, None)
    seen = [record.ref.id for record in page.records]
    while page.after is not None:
        page = history.past(EntityKind.NOTE, page.after)
        seen += [record.ref.id for record in page.records]
    return seen


@by_change
def test_nothing_of_the_past_is_hidden(history: PipedriveHistory, sandbox: Sandbox, change: Change) -> None:
    calls = before_the_second_page(sandbox, change, falling=False)
    seen = read(history)
    assert there(sandbox) <= set(seen)
    assert len(calls) <= 2 * (NOTES // PAGE + 1)


@by_change
def test_nothing_that_has_changed_lately_is_hidden(history: PipedriveHistory, sandbox: Sandbox, change: Change) -> None:
    before_the_second_page(sandbox, change, falling=True)
    found = history.changed(EntityKind.NOTE, JANUARY, LATER, None)
    assert there(sandbox) <= {record.ref.id for record in found.records}


def test_without_a_change_every_row_comes_once(history: PipedriveHistory, sandbox: Sandbox) -> None:
    calls = before_the_second_page(sandbox, lambda _box, _at: None, falling=False)
    seen = read(history)
    assert seen == [str(number) for number in range(1, NOTES + 1)]
    assert len(calls) == -(-(NOTES - OVERLAP) // (PAGE - OVERLAP))
