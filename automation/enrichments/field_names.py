"""What the account calls its custom fields, where their keys do not speak for themselves. Good for five minutes in the client."""

from collections import defaultdict
from collections.abc import Sequence

from automation.enrichments.base import Answers, Asked, Found
from automation.pipeline.context import Loop
from automation.sources.properties import KEYED
from data.domain.enrichment import Problem
from data.domain.entity import EntityKind
from data.errors import VendorError


def ask(loop: Loop, asked: Sequence[Asked], answers: Answers) -> None:
    """Names the fields of each entity whose CRM has keys for them."""
    groups: dict[tuple[str, EntityKind], list[Asked]] = defaultdict(list)
    for each in asked:
        if each.ref.source in loop.clients.crms and each.ref.kind in KEYED.get(each.ref.source, ()):
            groups[each.ref.source, each.ref.kind].append(each)
    for (source, kind), these in groups.items():
        try:
            found = Found(names=loop.clients.crms[source].names(kind))
        except VendorError as error:
            found = Found(problem=Problem.of(error))
        for each in these:
            answers.put(each.entity_id, found)
