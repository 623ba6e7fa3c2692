"""Who gets which version: stable, spread evenly, each model for itself."""

from hypothesis import given
from hypothesis import strategies as st

from data.domain.traffic import Variant
from ml.serving.assignment import variant_of

KEYS = [f"hubspot contact {number}" for number in range(4_000)]


def got(model: str, share: float) -> set[str]:
    return {key for key in KEYS if variant_of(model, key, share) is Variant.CHALLENGER}


@given(st.text(), st.text(), st.floats(0, 1))
def test_the_same_entity_always_gets_the_same(model: str, key: str, share: float) -> None:
    assert variant_of(model, key, share) is variant_of(model, key, share)


@given(st.text(), st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_only_adds(model: str, key: str, one: float, other: float) -> None:
    less, more = sorted((one, other))
    if variant_of(model, key, less) is Variant.CHALLENGER:
        assert variant_of(model, key, more) is Variant.CHALLENGER


@given(st.text(), st.text())
def test_nothing_and_everything_are_exact(model: str, key: str) -> None:
    assert variant_of(model, key, 0.0) is Variant.CHAMPION
    assert variant_of(model, key, 1.0) is Variant.CHALLENGER


def test_the_share_is_kept() -> None:
    for share in (0.05, 0.3, 0.5):
        # Four standard errors of 4,000 draws.
        assert abs(len(got("lead_score", share)) / len(KEYS) - share) < 4 * (share * (1 - share) / len(KEYS)) ** 0.5


def test_each_model_draws_anew() -> None:
    both = got("lead_score", 0.5) & got("churn", 0.5)
    assert 0.2 < len(both) / len(KEYS) < 0.3


def test_the_draw_is_the_same_on_every_machine_and_in_every_release() -> None:
    """Fixed by example: another hash would exchange the groups of every comparison that is running."""
    drawn = "".join("c" if variant_of("lead_score", f"ada{number}", 0.5) is Variant.CHALLENGER else "-" for number in range(16))
    assert drawn == "c---c-cc--c--cc-"
