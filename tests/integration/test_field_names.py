"""Custom fields have the names that the account gave them, for every kind of record."""

import polars as pl
from sqlmodel import select

from automation.clients.pipedrive import FIELD_PATHS
from automation.jobs import names, worker
from automation.pipeline.context import Loop
from automation.sandbox.player import PipedrivePlayer
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from automation.sources.properties import KEYED
from data.domain.entity import EntityKind
from data.warehouse.job_runs import JobRun
from ml.features.build import build
from ml.features.facts import EXAMPLES
from tests.conftest import LoopFactory
from tests.support import HOT, NOON, FakeClock
from tests.telling import features, frame, post, rows


def test_pipedrives_fields_have_the_names_that_the_account_gave_them_once_these_are_known(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    keys = {name: sandbox.define_pipedrive_field("persons", name) for name in (*HOT, "predicted_score")}
    player = PipedrivePlayer(sandbox, "http://unused", "user", "password")
    clock.follow_the_machine()
    post(loop, "pipedrive", player.created("7", {"name": "Ada Abel", "email": "ada@abel.example", **HOT, "predicted_score": 0.4}))
    assert keys["sessions"] in {row.name for row in rows(loop)}
    assert not set(HOT) & set(frame(loop)["name"]), "what has no name yet is nothing that a model could see"
    scored_from = clock.now()
    worker.sweep_inbox(loop)
    assert features(loop, "sessions", "channel") == ("5", "referral")
    assert not any(len(name) == 40 for name in frame(loop)["name"])
    assert frame(loop).filter(pl.col("name") == "sessions")["known_at"].min() >= scored_from
    made = build("lead_score", pl.DataFrame([(1, clock.now())], schema=EXAMPLES, orient="row"), frame(loop))
    assert "predicted_score" not in made.columns


def test_an_amount_of_the_account_s_own_has_its_currency_beside_it(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    sandbox.define_pipedrive_field("deals", "Fee", "monetary")
    player = PipedrivePlayer(sandbox, "http://unused", "user", "password")
    clock.follow_the_machine()
    post(loop, "pipedrive", player.created("7", {"title": "Roof", "Fee": {"value": 3, "currency": "USD"}}, "deals"))
    post(loop, "pipedrive", player.changed("7", {"Fee": {"value": 3, "currency": "EUR"}}, "deals"))
    assert not [name for name in frame(loop)["name"] if name.endswith("_currency")], "its key has no name yet"
    names.refresh(loop)
    told = frame(loop).filter(pl.col("name").str.starts_with("Fee")).select("name", "value").rows()
    assert told == [("Fee", "3"), ("Fee currency", "USD"), ("Fee currency", "EUR")]


PIPEDRIVE_KINDS = {
    "person": ("persons", EntityKind.CONTACT), "organization": ("organizations", EntityKind.COMPANY),
    "deal": ("deals", EntityKind.DEAL), "lead": ("deals", EntityKind.LEAD), "product": ("products", EntityKind.PRODUCT),
    "activity": ("activities", EntityKind.ACTIVITY),
}  # fmt: skip


def test_every_kind_whose_fields_pipedrive_names_is_asked_for_them() -> None:
    assert set(KEYED["pipedrive"]) == set(FIELD_PATHS) == {kind for _, kind in PIPEDRIVE_KINDS.values()}


def test_fields_of_records_that_ask_no_model_have_names_too(
    make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox, clock: FakeClock
) -> None:
    loop = make_loop(addresses)
    meta = {"version": "2.0", "action": "create", "company_id": "1", "entity_id": "9", "timestamp": NOON.isoformat()}
    for name, (place, _) in PIPEDRIVE_KINDS.items():
        key = sandbox.define_pipedrive_field(place, f"Our {place}")
        data = {"id": 9, "custom_fields": {key: {"type": "varchar", "value": name}}}
        post(loop, "pipedrive", {"meta": {**meta, "entity": name, "id": name}, "data": data, "previous": None})
    assert not [name for name in frame(loop)["name"] if name.startswith("Our")]
    statuses = iter([None, 500])
    sandbox.fault = lambda _vendor, _path: next(statuses, None)
    names.refresh(loop)
    told = {(row["kind"], row["name"], row["value"]) for row in frame(loop).iter_rows(named=True)}
    expected = {(kind.value, f"Our {place}", name) for name, (place, kind) in PIPEDRIVE_KINDS.items()}
    assert expected - told == {("company", "Our organizations", "organization")}, "the second kind could not be asked"
    clock.move(hours=1)
    names.refresh(loop)
    names.refresh(loop)
    told = {(row["kind"], row["name"], row["value"]) for row in frame(loop).iter_rows(named=True)}
    assert expected <= told
    number = frame(loop).filter(pl.col("kind") == "deal")["entity"][0]
    assert features(loop, "Our deals", entity=number, model="win_probability") == ("deal",)


def test_where_no_crm_is_configured_nobody_is_asked_and_the_turn_is_not_taken_from_others(loop: Loop) -> None:
    names.sweep(loop)
    with loop.database.read() as session:
        assert not session.exec(select(JobRun)).all()
