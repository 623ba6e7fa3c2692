"""What `leadloop hubspot setup` says to subscribe to is what we understand, all of it and nothing else."""

import pytest

from automation.sources.hubspot import ACTIONS
from data.domain.entity import EntityKind
from data.domain.event_type import VERBS
from scripts.connections import TOPICS

ASKED_FOR = frozenset({
    EntityKind.CONTACT, EntityKind.COMPANY, EntityKind.DEAL, EntityKind.LEAD, EntityKind.TICKET,
    EntityKind.NOTE, EntityKind.CALL, EntityKind.MEETING, EntityKind.EMAIL, EntityKind.TASK,
})  # fmt: skip


def told() -> dict[EntityKind, set[str]]:
    found: dict[EntityKind, set[str]] = {}
    for line in TOPICS:
        kinds, _, actions = line.partition(": ")
        for kind in kinds.removesuffix(" (as objects)").split(", "):
            found[EntityKind(kind)] = {action.removeprefix("and ").split(" ")[0] for action in actions.split(", ")}
    return found


def test_of_every_object_that_serves() -> None:
    assert told().keys() == ASKED_FOR


@pytest.mark.parametrize("kind", sorted(ASKED_FOR))
def test_everything_that_may_happen_to_it_and_that_hubspot_tells(kind: EntityKind) -> None:
    assert told()[kind] == {action for action, verb in ACTIONS.items() if verb in VERBS[kind]}
