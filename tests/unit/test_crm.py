"""Write-backs to a CRM: what one record spoils for the others, and what none of them is at fault for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from automation.clients.base import Write
from automation.clients.registry import Clients
from automation.destinations.crm import HUBSPOT
from data.domain.entity import EntityKind
from data.errors import Permanent, Retryable, VendorError
from data.warehouse.deliveries import DeliveryRow


@dataclass
class OneIsWrong:
    """A CRM that takes no call which has one certain record in it."""

    wrong: str
    error: VendorError
    write_size: int = 100
    calls: list[int] = field(default_factory=list)

    def write(self, kind: EntityKind, writes: Sequence[Write]) -> dict[str, VendorError]:
        self.calls.append(len(writes))
        if any(write.id == self.wrong for write in writes):
            raise self.error
        return {}


def send(crm: Any, count: int) -> dict[str, VendorError | None]:
    rows = [
        DeliveryRow(id=f"d{number}", content={"object": "contact", "id": str(number), "properties": {}}) for number in range(count)
    ]
    return {number: sent.error for number, sent in HUBSPOT.send(Clients(crms={"hubspot": crm}), rows).items()}


@pytest.mark.parametrize("wrong", [0, 37, 99])
def test_one_record_that_spoils_a_batch_is_found_and_the_others_are_written(wrong: int) -> None:
    crm = OneIsWrong(str(wrong), Permanent("400: property predicted_score is no number", content=True))
    found = send(crm, 100)
    assert [number for number, error in found.items() if error is not None] == [f"d{wrong}"]
    assert len(crm.calls) <= 2 * 7 + 1


@pytest.mark.parametrize("error", [Permanent("403: no scope"), Retryable("502")])
def test_what_is_no_record_s_fault_is_not_tried_piece_by_piece(error: VendorError) -> None:
    crm = OneIsWrong("5", error)
    assert set(send(crm, 100).values()) == {error}
    assert crm.calls == [100]
