"""The exported workflows, held against our own OpenAPI: every address exists, every field that is read exists."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from automation import n8n
from automation.record_fields import FIELDS
from tests.support import settings_for

NAMES = [path.stem for path in n8n.workflow_files()]
HTTP = "n8n-nodes-base.httpRequest"
# Field paths behind $json or $('Node').item.json, as far as they are plain.
READ = re.compile(r"(\$json|\$\('([^']+)'\)\.item\.json)((?:\.[A-Za-z_]\w*)+)")
METHODS = {"toString", "filter", "map", "slice", "join", "length", "replaceAll", "message"}
SECRET = re.compile(r"xox[abp]-|pat-(na|eu)|Bearer [A-Za-z0-9]|\"(accessToken|appToken|apiToken)\"\s*:")


def workflow(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((n8n.WORKFLOWS / f"{name}.json").read_text())
    return loaded


def nodes(name: str) -> dict[str, dict[str, Any]]:
    return {node["name"]: node for node in workflow(name)["nodes"]}


@pytest.fixture(scope="module")
def openapi(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return create_app(settings_for(tmp_path_factory.mktemp("api"))).openapi()


def test_the_named_workflows_are_there() -> None:
    assert NAMES == ["report_failure", "route_hubspot_events", "route_pipedrive_events", "score_lead"]
    classic = {"Contact Hook", "ML Score API", "High Score?", "Slack Alert", "HubSpot Write-back"}
    assert classic <= nodes("score_lead").keys()


def test_the_readme_has_one_row_per_workflow() -> None:
    readme = (n8n.WORKFLOWS / "README.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)\.json`", readme, re.MULTILINE)
    assert sorted(rows) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_nothing_secret_or_pinned_is_exported(name: str) -> None:
    text = (n8n.WORKFLOWS / f"{name}.json").read_text()
    assert "pinData" not in text
    assert not SECRET.search(text)
    for node in nodes(name).values():
        for credential in node.get("credentials", {}).values():
            assert set(credential) == {"id", "name"}


@pytest.mark.parametrize("name", NAMES)
def test_each_has_a_note_an_error_workflow_and_no_code(name: str) -> None:
    loaded = workflow(name)
    kinds = {node["type"] for node in loaded["nodes"]}
    assert "n8n-nodes-base.stickyNote" in kinds
    assert not any("code" in kind.lower() or "function" in kind.lower() for kind in kinds)
    if name != "report_failure":
        assert loaded["settings"]["errorWorkflow"] == workflow("report_failure")["id"]
    assert loaded["active"] is False


@pytest.mark.parametrize("name", NAMES)
def test_every_connection_leads_somewhere(name: str) -> None:
    known = nodes(name)
    for source, outputs in workflow(name)["connections"].items():
        assert source in known
        for output in outputs["main"]:
            assert all(target["node"] in known for target in output)


@pytest.mark.parametrize("name", NAMES)
def test_every_http_node_calls_an_address_of_ours_and_tries_again(name: str, openapi: dict[str, Any]) -> None:
    for node in nodes(name).values():
        if node["type"] != HTTP:
            continue
        operation = operation_of(node, openapi)
        assert operation, f"{node['name']} calls an address that does not exist"
        assert node["retryOnFail"]
        assert node["parameters"]["url"].removeprefix("=").startswith(n8n.PLACEHOLDER_URL)


@pytest.mark.parametrize("name", NAMES)
def test_every_field_that_is_read_is_one_that_the_api_gives(name: str, openapi: dict[str, Any]) -> None:
    known = nodes(name)
    checked = 0
    for node in known.values():
        for _, named, path in READ.findall(json.dumps(node["parameters"], ensure_ascii=False)):
            origin = known[named] if named else source_of(name, node["name"])
            if (schema := item_schema(name, origin, openapi)) is not None:
                assert has_field(schema, path.strip(".").split("."), openapi), f"{node['name']} reads {path}"
                checked += 1
    assert checked >= {"report_failure": 0}.get(name, 5)


# What is made of more than the answer to a form: the record's deals, and the record itself.
NOT_OF_A_FORM = {"predicted_expected_value", "predicted_currency", "predicted_expected_value_text", "predicted_record"}


@pytest.mark.parametrize(
    ("name", "left_out"), [("route_hubspot_events", set()), ("route_pipedrive_events", set()), ("score_lead", NOT_OF_A_FORM)]
)
def test_every_field_that_we_make_is_written_back(name: str, left_out: set[str]) -> None:
    text = (n8n.WORKFLOWS / f"{name}.json").read_text()
    assert {field[0] for field in FIELDS if f'"{field[0]}"' in text} == {field[0] for field in FIELDS} - left_out


def test_high_score_tests_the_label_and_no_number_of_its_own() -> None:
    (condition,) = nodes("score_lead")["High Score?"]["parameters"]["conditions"]["conditions"]
    assert condition["leftValue"] == "={{ $json.label }}"
    assert condition["rightValue"] == "high"


def test_the_crm_is_answered_with_the_collector_s_own_status() -> None:
    for name in ("route_hubspot_events", "route_pipedrive_events"):
        assert nodes(name)["Answer CRM"]["parameters"]["options"]["responseCode"] == "={{ $json.statusCode }}"
        assert nodes(name)["Answer Unreachable"]["parameters"]["options"]["responseCode"] == 503


def test_import_fills_in_address_and_channel_and_leaves_no_placeholder(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, slack_channel="#deals")
    for path in n8n.workflow_files():
        text = json.dumps(n8n.filled(path, settings, "https://leads.example.org/"))
        assert n8n.PLACEHOLDER_URL not in text
        assert n8n.PLACEHOLDER_CHANNEL not in text


def test_credentials_carry_the_narrowest_token(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    by_name = {row["name"]: row["data"] for row in n8n.credentials(settings)}
    assert by_name["Leadloop: score"]["value"] == "Bearer token-for-score"
    assert by_name["Leadloop: predictions"]["value"] == "Bearer token-for-predictions"
    assert by_name["Leadloop: activate"]["value"] == "Bearer token-for-activate"
    used = {c["id"] for name in NAMES for node in nodes(name).values() for c in node.get("credentials", {}).values()}
    assert used == {row["id"] for row in n8n.credentials(settings)}


# -- from a node to the schema of the items that it puts out --


def operation_of(node: dict[str, Any], openapi: dict[str, Any]) -> dict[str, Any] | None:
    address = node["parameters"]["url"].removeprefix("=").removeprefix(n8n.PLACEHOLDER_URL).split("?")[0]
    address = re.sub(r"\{\{.*?\}\}", "x", address)
    method = node["parameters"]["method"].lower()
    for path, operations in openapi["paths"].items():
        if method in operations and re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", path), address):
            operation: dict[str, Any] = operations[method]
            return operation
    return None


def source_of(name: str, target: str) -> dict[str, Any]:
    """The node whose items `target` reads as $json."""
    known = nodes(name)
    for source, outputs in workflow(name)["connections"].items():
        if any(link["node"] == target for output in outputs["main"] for link in output):
            return known[source]
    return {"type": "none", "name": "none"}


def item_schema(name: str, node: dict[str, Any], openapi: dict[str, Any]) -> dict[str, Any] | None:
    """What our API says of the items; None for items that come from somebody else."""
    if node["type"] == HTTP:
        operation = operation_of(node, openapi)
        assert operation is not None
        answer = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
        schema: dict[str, Any] = answer["content"]["application/json"]["schema"]
        if node["parameters"]["options"].get("response", {}).get("response", {}).get("fullResponse"):
            return {"properties": {"body": schema, "statusCode": {}, "headers": {}}}
        return schema
    if node["type"].endswith("splitOut"):
        inner = item_schema(name, source_of(name, node["name"]), openapi)
        assert inner is not None
        return field_schema(inner, node["parameters"]["fieldToSplitOut"], openapi)["items"]  # type: ignore[no-any-return]
    if node["type"].rsplit(".", 1)[-1] in {"if", "switch", "respondToWebhook"}:
        return item_schema(name, source_of(name, node["name"]), openapi)
    return None


def field_schema(schema: dict[str, Any], field: str, openapi: dict[str, Any]) -> dict[str, Any]:
    for choice in choices(schema, openapi):
        if field in choice.get("properties", {}):
            found: dict[str, Any] = choice["properties"][field]
            return found
    raise KeyError(field)


def choices(schema: dict[str, Any], openapi: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in schema:
        return choices(openapi["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]], openapi)
    if "anyOf" in schema:
        return [found for option in schema["anyOf"] for found in choices(option, openapi)]
    return [schema]


def has_field(schema: dict[str, Any], path: list[str], openapi: dict[str, Any]) -> bool:
    for field in path:
        if field in METHODS:
            return True
        try:
            schema = field_schema(schema, field, openapi)
        except KeyError:
            return False
    return True
