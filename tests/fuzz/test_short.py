"""The short form of `make fuzz`: fewer requests, the same demands."""

from pathlib import Path

import pytest

from tests.fuzz.run import run

REQUESTS, SEED = 2_000, 11
MOST_GROWTH_MIB = 200.0  # less than in the long form


@pytest.mark.slow
@pytest.mark.parametrize("postgres", [False, pytest.param(True, marks=pytest.mark.postgres)], ids=["sqlite", "postgres"])
def test_every_hostile_request_is_answered_and_nothing_taken_is_lost(tmp_path: Path, postgres: bool) -> None:
    found = run(REQUESTS, SEED, tmp_path, postgres=postgres)
    assert found.wrong == {}
    assert found.statuses.total() == REQUESTS
    assert found.taken > REQUESTS / 10
    assert found.rejected > REQUESTS / 10
    assert max(found.memory_mib) - found.memory_mib[0] < MOST_GROWTH_MIB
