"""What is told in Slack about a model, once."""

from typing import Any

import pytest

from automation import monitoring, retraining
from automation.destinations.digest import BLOCK_PREFIX
from automation.jobs import notices as notice_jobs
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.warehouse import trainings
from tests.conftest import LoopFactory
from tests.support import FakeClock
from tests.watched import BY_HAND, FEW, MODEL, sample, scored


@pytest.mark.slow
@pytest.mark.slow
def test_a_drift_is_one_message_however_often_it_is_seen(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses, deliver_slack="worker", hot_threshold=0.999)
    scored(loop, sample(FEW), channel="<!channel>")
    for _ in range(3):
        clock.move(hours=6)
        monitoring.check(loop, MODEL)
        notice_jobs.sweep(loop)
    (message,) = sandbox.messages()
    text = str(message["blocks"])
    assert "leads are not what they were" in text
    assert "channel: “other” was" in text
    assert "<!channel>" not in text
    assert message["blocks"][1]["block_id"] == "leadloop:lead_score:1:drift"


@pytest.mark.parametrize("loses_the_answer", [False, True])
def test_a_notice_that_slack_did_not_take_comes_later_and_once(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock, loses_the_answer: bool
) -> None:
    loop = make_loop(addresses, hot_threshold=0.999)
    clock.follow_the_machine()
    with retraining.alone(loop.database), pytest.raises(RuntimeError):
        with retraining.remembered(loop.database, loop.clock, MODEL, BY_HAND, 5):
            raise RuntimeError("the disk is full")
    with loop.database.write() as session:
        row = trainings.newest(session, MODEL)
        assert row is not None
        retraining.notices.tell_training(loop, session, row, "")
    if not loses_the_answer:
        sandbox.fault = lambda _vendor, path: 503 if "postMessage" in path else None
        notice_jobs.sweep(loop)
        assert sandbox.messages() == []
        sandbox.fault = None
    else:
        notice_jobs.sweep(loop)  # sent, and then this process dies before that is stored
        with loop.database.write() as session:
            session.exec(notice_update(state="leased"))
    with loop.database.write() as session:
        session.exec(notice_update(next_attempt_at=loop.clock.now()))
    for _ in range(2):
        notice_jobs.sweep(loop)
    assert len(sandbox.messages()) == 1


def notice_update(**values: Any) -> Any:
    from sqlalchemy import update

    from data.warehouse.notices import NoticeRow

    return update(NoticeRow).values(**values)


def test_a_message_about_a_model_is_no_alert_of_a_lead(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> None:
    loop = make_loop(addresses)
    retraining.retrain(loop, MODEL, BY_HAND, 0)
    notice_jobs.sweep(loop)
    (message,) = sandbox.messages()
    assert not any(str(block.get("block_id", "")).startswith(BLOCK_PREFIX) for block in message["blocks"])
