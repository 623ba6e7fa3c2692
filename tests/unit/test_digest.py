"""Many alerts at once become one message within Slack's limits, in which each is still found by its id."""

from typing import Any

import pytest
from hypothesis import given

from automation.clients.registry import Clients
from automation.destinations import digest
from automation.destinations.digest import BLOCK_PREFIX
from automation.destinations.slack import SLACK
from data.domain.delivery import DeliveryKind
from data.domain.prediction import Factor
from data.warehouse.deliveries import DeliveryRow
from data.warehouse.leases import MOST_ALERTS_AT_ONCE
from tests.unit.test_slack import LONG, message

MOST_BLOCKS, LONGEST_SECTION = 50, 3000  # Slack's own


def alert(number: int, **parts: Any) -> dict[str, Any]:
    content = message(entity_id=str(number), **parts)
    block_id = f"{BLOCK_PREFIX}{number}"
    blocks = [{**block, "block_id": block_id} if "block_id" in block else block for block in content["blocks"]]
    return {**content, "block_id": block_id, "blocks": blocks}


def row(number: int, *, lost: int = 0, channel: str = "#sales") -> DeliveryRow:
    return DeliveryRow(id=str(number), kind=DeliveryKind.ALERT, content={**alert(number), "channel": channel}, lost_leases=lost)


def ids(batches: Any) -> list[list[str]]:
    return [[each.id for each in batch] for batch in batches]


def test_each_alert_of_a_digest_keeps_its_id_its_button_and_its_footer() -> None:
    text, blocks = digest.digest([alert(1), alert(2)])
    assert text == "2 hot leads"
    sections = [block for block in blocks if block["type"] == "section"]
    assert [block["block_id"] for block in sections] == [f"{BLOCK_PREFIX}1", f"{BLOCK_PREFIX}2"]
    assert all("Ada Abel" in block["text"]["text"] and block["accessory"]["type"] == "button" for block in sections)
    assert [block["elements"][0]["text"].split()[-1] for block in blocks if block["type"] == "context"] == ["1", "2"]


@pytest.mark.slow
@given(name=LONG, feature=LONG)
def test_a_digest_of_the_longest_alerts_is_within_slack_s_limits(name: str, feature: str) -> None:
    factors = tuple(Factor(feature=feature, value=name, contribution=0.7, points=12.4) for _ in range(5))
    alerts = [alert(number, known={"firstname": name, "company": name}, factors=factors) for number in range(MOST_ALERTS_AT_ONCE)]
    _, blocks = digest.digest(alerts)
    assert len(blocks) <= MOST_BLOCKS
    assert all(len(block["text"]["text"]) <= LONGEST_SECTION for block in blocks if block["type"] == "section")


@pytest.mark.parametrize("count", range(1, 2 * digest.FEWEST))
def test_a_few_alerts_are_posted_one_by_one_and_many_together(count: int) -> None:
    rows = [row(number) for number in range(count)]
    singly = [[str(number)] for number in range(count)]
    assert ids(SLACK.batches(Clients(), rows)) == (singly if count < digest.FEWEST else [[str(number) for number in range(count)]])


def test_what_may_have_been_posted_before_and_other_channels_are_apart() -> None:
    rows = [row(1, lost=1), *(row(number) for number in range(2, 2 + digest.FEWEST)), row(8, lost=2), row(9, channel="#others")]
    assert ids(SLACK.batches(Clients(), rows)) == [["9"], ["1", "8"], ["2", "3", "4", "5"]]
