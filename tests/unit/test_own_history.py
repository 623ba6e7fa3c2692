"""The warehouse's examples as a table: every custom field typed by itself, identities known as such, leaks left out."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from data.errors import BadInput
from ml.features.inputs import InputKind
from ml.preparation.base import AS_OF
from ml.training.leakage import Reason
from ml.training.own_history import type_history

CONTACTS = 400
ROWS_OF_EACH = 3
ROWS = CONTACTS * ROWS_OF_EACH
START = datetime(2026, 1, 1, tzinfo=UTC)


def history(seed: int = 0, **more: list[str | None]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Three moments of each contact, as the CRM tells them: mostly texts. Half are won."""
    generator = np.random.default_rng(seed)
    contacts = generator.permutation(np.repeat(np.arange(CONTACTS), ROWS_OF_EACH))
    won = generator.integers(0, 2, CONTACTS)[contacts]
    as_of = [START + timedelta(hours=number) for number in range(ROWS)]
    examples = pl.DataFrame(
        {"entity": contacts, "as_of": as_of, "label": won, "closed_at": [moment + timedelta(days=60) for moment in as_of]},
        schema_overrides={"as_of": pl.Datetime("us", "UTC"), "closed_at": pl.Datetime("us", "UTC")},
    )
    features = pl.DataFrame(
        {
            "sessions": generator.poisson(2 + 2 * won).astype(float),
            "budget": [f"{amount:.0f}" for amount in generator.lognormal(8, 1, ROWS)],
            "industry": generator.choice(["retail", "software", "health"], ROWS),
            "demo asked": np.where(generator.random(ROWS) < 0.3 + 0.3 * won, "yes", "no"),
            "renewal": [f"2026-{month:02d}-15" for month in generator.integers(1, 13, ROWS)],
            "email": [f"{contact}@example.com" for contact in contacts],
            "full name": [f"First{contact % 29} Last{contact}" for contact in contacts],
            "record id": [str(10_000_000 + 37 * int(contact)) for contact in contacts],
            "plan": ["basic"] * ROWS,
            "lost reason": ["price" if lost and number % 3 else None for number, lost in enumerate(won == 0)],
            **more,
        }
    )
    return features, examples


def test_every_field_gets_its_kind_and_what_names_a_contact_none() -> None:
    made = type_history(*history())
    assert {column.name: column.kind for column in made.typed.inputs} == {
        "sessions": InputKind.NUMBER,
        "budget": InputKind.NUMBER,
        "industry": InputKind.CATEGORY,
        "demo asked": InputKind.BOOLEAN,
        "renewal": InputKind.DATE,
    }
    told = " ".join(made.notes)
    for name in ("email", "full name", "record id", "plan"):
        assert f"{name}" in told, f"nothing is said of {name}"


def test_what_only_lost_contacts_have_is_left_out_and_kept_on_demand() -> None:
    (suspect,) = type_history(*history()).findings.suspects
    assert (suspect.column, suspect.reason, suspect.left_out) == ("lost reason", Reason.FILLED_FOR_ONE, True)
    kept = type_history(*history(), keep=("lost reason",))
    assert "lost reason" in {column.name for column in kept.typed.inputs}
    assert [suspect.left_out for suspect in kept.findings.suspects] == [False]


@pytest.mark.parametrize("seed", range(5))
def test_what_nearly_names_a_contact_is_not_accused_of_knowing_how_its_other_rows_ended(seed: int) -> None:
    """A street with two contacts each: by chance, in a third of the streets all rows end alike."""
    features, examples = history(seed)
    streets = [f"street {contact // 2}" for contact in examples["entity"]]
    scores = [float(contact % 190) for contact in examples["entity"]]
    found = type_history(features.with_columns(pl.Series("street", streets), pl.Series("score", scores)), examples)
    assert [suspect.column for suspect in found.findings.suspects] == ["lost reason"]


def test_rows_know_whose_they_are_and_their_moment_where_there_are_dates() -> None:
    features, examples = history()
    made = type_history(features, examples)
    assert (made.typed.groups == examples["entity"].to_numpy()).all()
    assert made.typed.ids is not None
    assert made.typed.ids.n_unique() == ROWS
    assert made.moment is not None
    assert made.typed.times is not None
    assert (made.typed.frame[AS_OF].to_numpy() == made.typed.times).all()
    without = type_history(features.drop("renewal"), examples)
    assert without.moment is None
    assert AS_OF not in without.typed.frame.columns


def test_a_warehouse_with_nothing_to_learn_from_says_so() -> None:
    features, examples = history()
    with pytest.raises(BadInput, match="no property that could teach"):
        type_history(features.select("email", "plan", "lost reason"), examples)
