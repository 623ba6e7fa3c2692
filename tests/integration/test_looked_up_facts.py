"""What a look-up tells becomes facts where it is new, and holds against what is older."""

from automation.jobs import worker
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from tests.conftest import LoopFactory
from tests.support import NOON, FakeClock
from tests.telling import SECOND, features, hubspot, post, rows


def test_a_look_up_stores_what_is_new_and_the_next_one_only_what_changed(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    sandbox.put("hubspot", "contacts", "1", {"email": "ada@example.com", "hs_analytics_num_visits": "3"})
    post(loop, "hubspot", hubspot("contact", 1))
    clock.move(seconds=1)
    worker.sweep_inbox(loop)
    first = {row.name: row.value for row in rows(loop) if row.origin == "lookup"}
    assert first["email"] == "ada@example.com"
    assert first["hs_analytics_num_visits"] == "3"
    assert first["engaged_sessions"] is None, "it was asked for, and the CRM has none"
    assert "lastmodifieddate" not in first
    sandbox.put("hubspot", "contacts", "1", {"hs_analytics_num_visits": "4", "hs_analytics_num_page_views": "9"})
    clock.move(days=2)
    post(loop, "hubspot", hubspot("contact", 1, at=3600, hs_analytics_num_page_views="9"))
    worker.sweep_inbox(loop)
    later = [(row.name, row.value) for row in rows(loop) if row.origin == "lookup" and row.known_at > NOON + 2 * SECOND]
    assert later == [("hs_analytics_num_visits", "4")]


def test_a_look_up_reads_the_accounts_own_fields_too(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    for name in ("shoe_size", "left_empty", "predicted_score"):
        sandbox.define_hubspot_property("contacts", name)
    sandbox.put("hubspot", "contacts", "1", {"hs_analytics_num_visits": "3", "shoe_size": "43", "predicted_score": "0.7"})
    post(loop, "hubspot", hubspot("contact", 1))
    worker.sweep_inbox(loop)
    assert features(loop, "shoe_size") == ("43",)
    assert not {"left_empty", "predicted_score"} & {row.name for row in rows(loop)}


def test_a_token_that_may_not_list_properties_reads_the_others(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    sandbox.fault = lambda _vendor, path: 403 if "/properties/" in path else None
    sandbox.put("hubspot", "contacts", "1", {"hs_analytics_num_visits": "3", "shoe_size": "43"})
    for number in (1, 1):
        post(loop, "hubspot", hubspot("contact", number, at=number))
        worker.sweep_inbox(loop)
    assert features(loop, "sessions", "shoe_size") == ("3", None)
    assert len([request for request in sandbox.requests if "/properties/" in request.path]) == 1


def test_an_older_event_does_not_win_over_a_look_up_that_changed_nothing(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    sandbox.put("hubspot", "contacts", "1", {"email": "ada@example.com", "hs_analytics_num_visits": "3"})
    for _ in range(2):  # the second look-up finds nothing new
        clock.move(days=2)
        post(loop, "hubspot", hubspot("contact", 1, at=int((clock.now() - NOON).total_seconds())))
        worker.sweep_inbox(loop)
    clock.move(seconds=9)
    post(loop, "hubspot", hubspot("contact", 1, at=3 * 86_400, hs_analytics_num_visits="8"))
    assert features(loop, "sessions") == ("3",), "between the look-ups it was 8; the second one says 3 again"
    post(loop, "hubspot", hubspot("contact", 1, at=4 * 86_400 + 5, hs_analytics_num_visits="9"))
    assert features(loop, "sessions") == ("9",)
