"""What happens in a long run is the same each time, whatever the loop does with it, and could have happened."""

from itertools import islice

import pytest

from tests.chaos.story import Step, Story, What

STEPS = 300


def told(source: str, seed: int = 3) -> tuple[Story, list[Step]]:
    story = Story(source, seed, 0, first_id=1_000, contacts=STEPS)
    return story, list(islice(story.steps(), STEPS))


@pytest.mark.parametrize("source", ["hubspot", "pipedrive"])
def test_one_seed_tells_one_story(source: str) -> None:
    assert told(source)[1] == told(source)[1] != told(source, seed=4)[1]


@pytest.mark.parametrize("source", ["hubspot", "pipedrive"])
def test_everything_that_may_happen_does(source: str) -> None:
    story, steps = told(source)
    assert {step.what for step in steps} == set(What)
    assert story.ended
    assert story.ended <= story.deals.keys()
    assert len(story.merged) > len(set(story.merged.values())), "also of who came of a merge before, or with more than one"
    assert {step.new is None for step in steps if step.what is What.MERGE} >= ({True, False} if source == "hubspot" else {True})


@pytest.mark.parametrize("source", ["hubspot", "pipedrive"])
def test_nothing_happens_to_who_is_gone(source: str) -> None:
    there, in_bin = set[str](), set[str]()
    for step in told(source)[1]:
        if step.what is What.VISIT:
            assert step.is_new != (step.number in there)
            there.add(step.number)
        elif step.what is What.DELETE:
            there.remove(step.number)
            in_bin.add(step.number)
        elif step.what is What.RESTORE:
            in_bin.remove(step.number)
            there.add(step.number)
        elif step.what is What.MERGE:
            there -= {str(step.person), step.number}
            there.add(step.new or step.number)
        elif step.person is not None:
            assert step.person in there
