"""Who was champion before: what a rollback brings back."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from ml.champions import MOST_MOVES, How, Move, Moves, line, previous
from tests.support import NOON


def moves(*told: str) -> tuple[Move, ...]:
    """`3` promotes version 3, `<2` rolls back to version 2."""
    return tuple(
        Move(version=one.removeprefix("<"), at=NOON + timedelta(hours=hour), how=How.ROLLBACK if one[0] == "<" else How.GATE)
        for hour, one in enumerate(told)
    )


def test_a_rollback_brings_back_the_one_before() -> None:
    assert previous(moves("1", "2", "3"), "3") == "2"


def test_a_second_rollback_goes_one_further_back_and_not_forth_again() -> None:
    assert previous(moves("1", "2", "3", "<2"), "2") == "1"
    assert previous(moves("1", "2", "3", "<2", "<1"), "1") is None


def test_after_a_rollback_a_new_champion_stands_on_the_one_that_was_put_back() -> None:
    assert previous(moves("1", "2", "3", "<2", "4"), "4") == "2"


def test_the_first_champion_has_none_before_it() -> None:
    assert previous(moves("1"), "1") is None
    assert previous((), None) is None


def test_who_was_promoted_twice_in_a_row_is_not_the_one_before_itself() -> None:
    assert previous(moves("1", "2", "2"), "2") == "1"


def test_an_alias_that_somebody_moved_elsewhere_is_the_truth() -> None:
    assert previous(moves("1", "2"), "7") == "2"
    assert previous((), "7") is None


@given(st.lists(st.sampled_from(["promote", "rollback"]), max_size=30))
def test_promotions_and_rollbacks_are_a_stack(steps: list[str]) -> None:
    stack: list[str] = []
    told: list[str] = []
    for number, step in enumerate(steps):
        if step == "promote":
            stack.append(str(number))
            told.append(str(number))
        elif len(stack) > 1:
            stack.pop()
            told.append(f"<{stack[-1]}")
    current = stack[-1] if stack else None
    assert line(moves(*told), current) == stack
    assert previous(moves(*told), current) == (stack[-2] if len(stack) > 1 else None)


def test_what_is_remembered_has_an_end_and_still_knows_the_last_ones() -> None:
    kept = Moves(())
    for one in moves(*(str(number) for number in range(3 * MOST_MOVES))):
        kept = kept.and_then(one)
    assert len(kept.root) == MOST_MOVES
    assert previous(kept.root, str(3 * MOST_MOVES - 1)) == str(3 * MOST_MOVES - 2)
    assert Moves.model_validate_json(kept.model_dump_json()) == kept
    assert len(kept.model_dump_json()) < 5_000, "MLflow refuses longer tags"
