"""Answers whose end is known: what became of those who were scored, by the rules of a training's labels."""

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime

import polars as pl

from data.warehouse.predictions import Answer
from ml.training.labels import label_moments


def settled(answers: Sequence[Answer], facts: pl.DataFrame, now: datetime) -> list[tuple[Answer, int]]:
    """One answer of each entity whose end is in sight, with 1 where it was won and 0 where it was not."""
    moments = pl.DataFrame(
        {
            "entity": [answer.entity_id for answer in answers],
            "as_of": [answer.as_of for answer in answers],
            "place": range(len(answers)),
        },
        schema={"entity": pl.Int64, "as_of": pl.Datetime("us", "UTC"), "place": pl.Int64},
    )
    ended = label_moments(facts, moments, now).examples
    labels = dict(zip(ended["place"].to_list(), ended["label"].to_list(), strict=True))
    drawn = one_each(answers[place] for place in sorted(labels))
    by_event = {answers[place].event_id: label for place, label in labels.items()}
    return [(answer, by_event[answer.event_id]) for answer in drawn]


def one_each(answers: Iterable[Answer]) -> list[Answer]:
    """One answer of each entity, drawn by a hash of its event: rows of one entity are no independent witnesses.

    Drawn from all its answers, as the examples of a training are spread over all its moments: the last ones would be of
    more active leads than those that taught.
    """
    found: dict[int, Answer] = {}
    for answer in answers:
        before = found.get(answer.entity_id)
        if before is None or _draw(answer.event_id) < _draw(before.event_id):
            found[answer.entity_id] = answer
    return list(found.values())


def _draw(event_id: int) -> int:
    return zlib.crc32(str(event_id).encode())
