"""What both CRMs call an account's people, pipelines and stages: HubSpot's owners and pipelines, Pipedrive's users and stages.

https://developers.hubspot.com/docs/api-reference (crm-owners-v3, crm-pipelines-v3), https://developers.pipedrive.com/docs/api/v1
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from automation.sandbox.http import route
from automation.sandbox.state import Sandbox

OWNERS = ({"id": "77", "firstName": "Grace", "lastName": "Hopper"}, {"id": "78", "firstName": "", "lastName": ""})
PIPELINE, STAGES = ("default", "Sales"), (("appointmentscheduled", "First meeting"), ("contractsent", "Contract sent"))
STAMPS = {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z", "archived": False}


def hubspot_routes(sandbox: Sandbox) -> list[Route]:
    table = [("GET", "/crm/v3/owners/", _owners), ("GET", "/crm/v3/pipelines/deals", _pipelines)]
    return [route(sandbox, "hubspot", _guard_of_hubspot, *row) for row in table]


def pipedrive_routes(sandbox: Sandbox) -> list[Route]:
    table = [("GET", "/v1/users", _users), ("GET", "/api/v2/pipelines", _pipedrive_pipelines), ("GET", "/api/v2/stages", _stages)]
    return [route(sandbox, "pipedrive", _guard_of_pipedrive, *row) for row in table]


def _guard_of_hubspot(sandbox: Sandbox, request: Request) -> Response | None:
    fits = request.headers.get("authorization") == f"Bearer {sandbox.tokens['hubspot']}"
    return None if fits else JSONResponse({"status": "error", "category": "INVALID_AUTHENTICATION", "message": "no"}, 401)


def _guard_of_pipedrive(sandbox: Sandbox, request: Request) -> Response | None:
    fits = request.headers.get("x-api-token") == sandbox.tokens["pipedrive"]
    return None if fits else JSONResponse({"success": False, "error": "unauthorized access", "errorCode": 401}, 401)


def _owners(_sandbox: Sandbox, request: Request, _body: Any) -> Response:
    """One a page, so that whoever reads them has to turn pages."""
    place = int(request.query_params.get("after", "0"))
    row = {**OWNERS[place], "email": f"owner{place}@example.com", "userId": place, "type": "PERSON", **STAMPS}
    paging = {"paging": {"next": {"after": str(place + 1)}}} if place + 1 < len(OWNERS) else {}
    return JSONResponse({"results": [row], **paging})


def _pipelines(_sandbox: Sandbox, _request: Request, _body: Any) -> Response:
    stages = [
        {"id": number, "label": name, "displayOrder": place, "metadata": {}, **STAMPS}
        for place, (number, name) in enumerate(STAGES)
    ]
    row = {"id": PIPELINE[0], "label": PIPELINE[1], "displayOrder": 0, "stages": stages, **STAMPS}
    return JSONResponse({"results": [row]})


def _users(_sandbox: Sandbox, _request: Request, _body: Any) -> Response:
    return JSONResponse({"success": True, "data": [{"id": 77, "name": "Grace Hopper", "active_flag": True}]})


def _pipedrive_pipelines(_sandbox: Sandbox, _request: Request, _body: Any) -> Response:
    return JSONResponse({"success": True, "data": [{"id": 1, "name": "Sales"}], "additional_data": {"next_cursor": None}})


def _stages(_sandbox: Sandbox, _request: Request, _body: Any) -> Response:
    rows = [{"id": 5, "name": "First meeting", "pipeline_id": 1}, {"id": 6, "name": "Contract sent", "pipeline_id": 1}]
    return JSONResponse({"success": True, "data": rows, "additional_data": {"next_cursor": None}})
