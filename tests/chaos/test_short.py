"""The short form of the long run: the same plan with fewer events and kills, on both databases."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.run import Plan, bad_habits, run

pytestmark = pytest.mark.slow
EVENTS, SEED = 400, 5
# Half an hour's silence is for the long form.
TOO_LONG = frozenset({"pipedrive_ban"})


@pytest.mark.minutes
@pytest.mark.postgres
def test_under_fire_it_ends_as_in_a_calm_run(tmp_path: Path, subtests: pytest.Subtests) -> None:
    base = Plan(EVENTS, SEED, patience_seconds=240)
    quiet = run(base, tmp_path / "calm", postgres=False)
    assert quiet.found.wrong == {}
    for postgres in (False, True):
        under_fire = replace(
            base, kills=4, every_seconds=4, habits=bad_habits(SEED, but=TOO_LONG), misbehaving_n8n=True,
            workers=1 if postgres else 0, per_second=25,
        )  # fmt: skip
        with subtests.test(postgres=postgres):
            fired = run(under_fire, tmp_path / f"fire-{postgres}", postgres=postgres)
            assert len(fired.killed) == 4
            assert fired.found.wrong == {}
            assert fired.found.differences(quiet.found) == []
            assert fired.found.alerted > 0
            # A vendor that does the work and drops the answer, and whose history is not open at that moment, leaves no way to know.
            assert len(fired.found.alerted_twice) <= 1, fired.found.alerted_twice
