"""What the enrichments that ask somebody share: whom they are asked about, and what they answer.

They ask on a thread of their own, for nobody waits for them longer than the settings say. So they change nothing: they put
their answers where the stage takes them up, entity by entity, and what comes too late is left there.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from automation.memory import LookedUp
from automation.pipeline.context import Loop
from data.domain.enrichment import Problem
from data.domain.entity import EntityKind, EntityRef
from data.errors import NotFound, NotReady, VendorError
from data.log import get_logger
from data.warehouse.entities import EntityRow

log = get_logger("enrich")

Labels = Mapping[tuple[EntityKind, str], str]


@dataclass(frozen=True)
class Asked:
    """An entity that an enrichment is asked about; however many events of it there are, it is asked once."""

    entity: EntityRow
    known: frozenset[str] = frozenset()
    """The properties that anything is known of, under our names."""
    created_at: datetime | None = None
    """When it was created, where that is what happened."""
    look_ups: tuple[LookedUp, ...] = ()
    """What enrichments before this one have just read of it, and nobody has stored yet."""

    @property
    def entity_id(self) -> int:
        assert self.entity.id is not None
        return self.entity.id

    @property
    def ref(self) -> EntityRef:
        return self.entity.ref


@dataclass(frozen=True)
class Found:
    """What an enrichment has found for one entity. `gone`: its CRM does not have it (any more)."""

    look_ups: tuple[LookedUp, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    labels: Labels = field(default_factory=dict)
    problem: Problem | None = None
    gone: NotFound | None = None


class Answers:
    """What has been found so far, entity by entity; from `close` on nothing more is taken."""

    def __init__(self) -> None:
        self._found: dict[int, Found] = {}
        self._lock = threading.Lock()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nobody waits for more."""
        return self._closed

    def put(self, entity_id: int, found: Found) -> None:
        with self._lock:
            if not self._closed:
                self._found[entity_id] = found

    def close(self) -> dict[int, Found]:
        with self._lock:
            self._closed = True
        return self._found


Ask = Callable[[Loop, Sequence[Asked], Answers], None]


def answers_of(loop: Loop, name: str, ask: Ask, asked: Sequence[Asked], seconds: float) -> dict[int, Found]:
    """Each entity's answer. Where it failed, was too slow or answered rubbish, the answer says so: it goes on without.

    Raises:
        NotReady: the database is away, which is nobody's answer.
    """
    answers, rest = Answers(), Found()
    try:
        loop.patience.wait(name, lambda: ask(loop, asked, answers), seconds)
    except NotReady:
        raise
    except VendorError as error:
        log.warning("enrich.enrichment.failed", enrichment=name, reason=error.detail)
        rest = Found(problem=Problem.of(error))
    except Exception as error:
        log.exception("enrich.enrichment.broken", enrichment=name)
        rest = Found(problem=Problem.of_ours(error))
    found = answers.close()
    return {each.entity_id: found.get(each.entity_id, rest) for each in asked}
