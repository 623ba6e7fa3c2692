"""The mood of what was last written about an entity, or came by e-mail: by word lists, on this machine (ml/sentiment)."""

from typing import Any

from automation.enrichments.background import Background
from data.domain.entity import EntityKind
from ml.features.date_text import datetime_of_days
from ml.features.facts import DAY, KINDS
from ml.features.notes import moods_of
from ml.sentiment.scorer import mood

OF_KINDS = (EntityKind.CONTACT, EntityKind.DEAL)
DIGITS = 2


def derive(background: Background) -> dict[int, Any]:
    """`score` from -1 to 1 over the newest notes, in words (`mood`), and of the newest alone."""
    found: dict[int, Any] = {}
    for kind in OF_KINDS:
        cases, examples = background.of_kind(kind)
        if not cases:
            continue
        heard, moods = moods_of(examples, background.facts)
        for place, case in enumerate(cases):
            theirs = heard.example == place
            if theirs.any():
                found[case.event_id] = _told(background, heard.body[theirs], moods[theirs])
    return found


def _told(background: Background, bodies: Any, moods: Any) -> dict[str, Any]:
    facts, mean, newest = background.facts, float(moods.mean()), int(bodies[0])
    at = datetime_of_days(float(facts.occurred[newest]) / DAY)
    return {
        "notes": len(bodies),
        **_mood(mean),
        "newest": {**_mood(float(moods[0])), "kind": KINDS[facts.kind[newest]].value, "at": at.isoformat(timespec="seconds")},
    }


def _mood(value: float) -> dict[str, Any]:
    return {"score": round(value, DIGITS), "mood": mood(value).value}
