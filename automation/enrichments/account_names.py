"""What people call the account's owners, pipelines and stages, whose ids are all that a deal tells. Good for an hour."""

from collections import defaultdict
from collections.abc import Sequence

from automation.clients.base import Crm
from automation.enrichments.base import Answers, Asked, Found, Labels
from automation.pipeline.context import Loop
from data.domain.enrichment import Problem
from data.domain.entity import EntityKind
from data.errors import VendorError
from data.warehouse import entities

NAMED = (EntityKind.USER, EntityKind.PIPELINE, EntityKind.STAGE)


def ask(loop: Loop, asked: Sequence[Asked], answers: Answers) -> None:
    """Where there are deals: an account without any has nothing whose names these are."""
    groups: dict[str, list[Asked]] = defaultdict(list)
    for each in asked:
        if each.ref.source in loop.clients.crms:
            groups[each.ref.source].append(each)
    if not groups:
        return
    with loop.database.read() as session:
        sources = [source for source in groups if entities.any_of_kind(session, source, EntityKind.DEAL)]
    for source in sources:
        first, *others = groups[source]
        try:
            found = rest = Found(labels=_labels(loop.clients.crms[source]))
        except VendorError as error:
            found = Found(problem=Problem.of(error))
            rest = Found(problem=Problem(error.detail, again=False))  # they are the account's: one is asked again for all
        answers.put(first.entity_id, found)
        for each in others:
            answers.put(each.entity_id, rest)


def _labels(crm: Crm) -> Labels:
    return {(kind, number): name for kind in NAMED for number, name in crm.labels(kind).items()}
