"""`leadloop tokens` and `leadloop audit`, and what the other commands leave in the trail."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from automation import audit
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.db import Database, opened
from data.domain.audit import Action
from data.warehouse import paces
from tests.conftest import Run


def rows(path: Path) -> list[tuple[str, str, str]]:
    database = Database(f"sqlite:///{path}")
    found = [(row.action, row.target, row.result) for row in audit.listed(database)]
    actors = {row.actor for row in audit.listed(database)}
    database.dispose()
    assert actors <= {audit.command_line_actor()}
    return found[::-1]


def test_a_token_from_its_making_to_its_end(leadloop: Run, migrated: Path) -> None:
    status, made, said = leadloop("tokens", "create", "n8n", "--scopes", "collect+score", "--lasts", "90d")
    assert status == 0
    assert made.startswith("leadloop_")
    assert len(made.splitlines()) == 1
    assert "only time" in said
    status, new, said = leadloop("tokens", "rotate", "n8n", "--grace", "2h")
    assert (status, new != made, "before it is good until" in said) == (0, True, True)
    status, listed, _ = leadloop("tokens", "list")
    assert "replaced, still good" in listed
    assert "collect score" in listed
    assert made.strip() not in listed
    assert leadloop("tokens", "revoke", "n8n", "--replaced")[0] == 0
    status, said, _ = leadloop("tokens", "revoke", "n8n")
    assert (status, "Revoked 1 token by" in said) == (0, True)
    assert [row[0] for row in rows(migrated)] == ["token_create", "token_rotate", "token_revoke", "token_revoke"]
    status, told, _ = leadloop("audit", "--action", "token_rotate")
    assert f"{audit.command_line_actor()} token_rotate n8n: done grace_seconds=7200" in told
    status, told, _ = leadloop("audit", "--json", "--limit", "2")
    assert [json.loads(line)["action"] for line in told.splitlines()] == ["token_revoke", "token_revoke"]
    assert made.strip() not in told


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("tokens", "create", "n8n"), 2, "--scopes"),
        (("tokens", "create", "n8n", "--scopes", "all"), 2, "the scopes are collect"),
        (("tokens", "create", "a:b", "--scopes", "read"), 2, "name"),
        (("tokens", "create", "n8n", "--scopes", "read", "--lasts", "soon"), 2, "30m, 24h or 90d"),
        (("tokens", "rotate", "nobody"), 1, "leadloop tokens list"),
        (("tokens", "rotate", "nobody", "--grace", "99999999d"), 2, "span of time"),
        (("tokens", "revoke", "nobody"), 1, "is good any more"),
        (("audit", "--action", "nothing"), 2, "action"),
        (("audit", "--limit", "0"), 2, "limit"),
        (("backfill", "salesforce"), 2, "hubspot, pipedrive"),
        (("backfill", "hubspot"), 1, "LEADLOOP_HUBSPOT_TOKEN is not set: docs/operations.md"),
        (("export", "nosuch", "--to", "x.csv"), 2, "nosuch"),
        (("export", "events", "--to", "x.txt"), 2, ".parquet or .csv"),
        (("replay", "--events", "--source", "nosuch"), 2, "the sources are"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(leadloop: Run, arguments: tuple[str, ...], status: int, said: str) -> None:
    found, _, told = leadloop(*arguments)
    assert (found, len(told.strip().splitlines())) == (status, 1), told
    assert said in told


def test_a_replay_is_in_the_trail_and_a_dry_run_is_not(leadloop: Run, migrated: Path) -> None:
    assert leadloop("replay", "--dead-letters", "--dry-run")[0] == 0
    assert rows(migrated) == []
    assert leadloop("replay", "--dead-letters")[0] == 0
    assert rows(migrated) == [(Action.REPLAY, "dead letters", "done")]


def test_set_up_is_in_the_trail_however_it_ends(leadloop: Run, migrated: Path, addresses: Addresses, tmp_path: Path) -> None:
    hubspot = {"HUBSPOT_BASE_URL": addresses.hubspot}
    assert leadloop("hubspot", "setup", HUBSPOT_TOKEN="hubspot-token", **hubspot)[0] == 0
    assert leadloop("hubspot", "setup", HUBSPOT_TOKEN="a-wrong-one", **hubspot)[0] == 1
    pipedrive = {
        "PIPEDRIVE_API_TOKEN": "a-wrong-one", "PIPEDRIVE_BASE_URL": addresses.pipedrive,
        "PIPEDRIVE_WEBHOOK_USER": "pipedrive", "PIPEDRIVE_WEBHOOK_PASSWORD": "a-long-password",
    }  # fmt: skip
    assert leadloop("pipedrive", "setup", **pipedrive)[0] == 1
    tokens = "a-token-for-all:collect+score+predictions+activate"
    assert leadloop("n8n", "render", "--to", str(tmp_path / "out"), API_TOKENS=tokens)[0] == 0
    assert rows(migrated) == [
        ("setup", "HubSpot's properties", "done"),
        ("setup", "HubSpot's properties", "failed"),
        ("setup", "Pipedrive's fields and webhook", "failed"),
        ("setup", "n8n's workflows and credentials, as files", "done"),
    ]


@pytest.mark.parametrize("source", ["hubspot", "pipedrive"])
def test_set_up_keeps_to_the_limits_that_the_service_uses_up(
    leadloop: Run, migrated: Path, addresses: Addresses, sandbox: Sandbox, source: str
) -> None:
    connected = {
        "HUBSPOT_TOKEN": "hubspot-token", "HUBSPOT_BASE_URL": addresses.hubspot,
        "PIPEDRIVE_API_TOKEN": "pipedrive-token", "PIPEDRIVE_BASE_URL": addresses.pipedrive,
        "PIPEDRIVE_WEBHOOK_USER": "pipedrive", "PIPEDRIVE_WEBHOOK_PASSWORD": "a-long-password",
        "PIPEDRIVE_CALLS_PER_2_SECONDS": "200",
    }  # fmt: skip
    assert leadloop(source, "setup", **connected)[0] == 0
    asked = len(sandbox.requests)
    with opened(f"sqlite:///{migrated}") as database, database.write() as session:
        (row,) = paces.every(session)
        assert row.name == source, "its calls were counted"
        row.rests_until = datetime(2100, 1, 1, tzinfo=UTC)
        session.add(row)
    status, _, said = leadloop(source, "setup", **connected)
    assert (status, "left alone" in said, len(sandbox.requests)) == (1, True, asked)


@pytest.mark.slow
def test_what_came_in_by_hand_is_in_the_trail(leadloop: Run, migrated: Path, addresses: Addresses, tmp_path: Path) -> None:
    deals, mapping = tmp_path / "deals.csv", tmp_path / "deals.yaml"
    deals.write_text("Deal,Stage,Created\n1,open,2026-01-05\n,open,2026-01-05\n")
    mapping.write_text("{source: hubspot, kind: deal, id: Deal, created_at: Created, properties: {Stage: dealstage}}")
    assert leadloop("import", str(deals), "--mapping", str(mapping))[0] == 1, "a row that does not fit"
    hubspot = {"HUBSPOT_TOKEN": "hubspot-token", "HUBSPOT_BASE_URL": addresses.hubspot}
    leadloop("backfill", "hubspot", **hubspot)
    assert [row[:2] for row in rows(migrated)] == [(Action.IMPORT, "deals.csv"), (Action.BACKFILL, "hubspot")]
    _, told, _ = leadloop("audit", "--action", "import")
    assert "records=1" in told
    assert "rejected=1" in told


def test_a_rescoring_is_in_the_trail(leadloop: Run, migrated: Path, trained_models: Path, tmp_path: Path) -> None:
    assert leadloop("rescore")[0] == 1, "no model"
    assert rows(migrated) == []
    shutil.copytree(trained_models, tmp_path / "models")
    assert leadloop("rescore")[0] == 0
    assert leadloop("rescore", "--model", "nobody")[0] == 1
    assert rows(migrated) == [(Action.RESCORE, "lead_score", "done")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "row"),
    [
        (("promote", "lead_score", "2", "--force"), ("promote", "lead_score", "failed")),
        (("rollback", "lead_score"), ("rollback", "lead_score", "failed")),
    ],
)
def test_the_registry_s_commands_are_in_the_trail(
    leadloop: Run, migrated: Path, tmp_path: Path, arguments: tuple[str, ...], row: tuple[str, str, str]
) -> None:
    assert leadloop("models", *arguments, MLFLOW_TRACKING_URI="sqlite:////proc/nowhere/mlflow.db")[0] == 1
    assert rows(migrated) == [row]
