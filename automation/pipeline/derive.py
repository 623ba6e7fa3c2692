"""Stage 5: the deriving enrichments, in the order of the registry. One that breaks is noted and tried again; the others go on."""

from collections.abc import Mapping

from automation.enrichments.background import Background, Derive
from automation.enrichments.registry import DERIVING
from automation.pipeline.context import Case, Loop
from data.domain.enrichment import Problem
from data.errors import NotReady
from data.log import get_logger

log = get_logger("enrich")


def derive(loop: Loop, cases: list[Case], deriving: Mapping[str, Derive] = DERIVING) -> None:
    """Fills in `case.derived`, made of what was visible at `case.as_of`. What the predictions are made of is none of it."""
    background = Background(loop, [case for case in cases if case.error is None and case.models])
    if not background.cases:
        return
    for name, make in deriving.items():
        try:
            made = make(background)
        except NotReady:
            raise
        except Exception as error:
            log.exception("enrich.enrichment.broken", enrichment=name)
            for case in background.cases:
                case.problems[name] = Problem.of_ours(error)
                case.notes[name] = case.problems[name].detail
            continue
        for case in background.cases:
            if case.event_id in made:
                case.derived[name] = made[case.event_id]
