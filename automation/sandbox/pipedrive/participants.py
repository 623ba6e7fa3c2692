"""Who takes part in a deal: its contact person, and whoever was added. How many they are, a v2 row says where that is asked for.

https://developers.pipedrive.com/docs/api/v1/Deals#getDealParticipants, by position as all of API v1; `include_fields` of v2's lists
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from automation.sandbox.pipedrive.history import number_of_query
from automation.sandbox.pipedrive.lists import bad, not_found, pagination, taking_part
from automation.sandbox.pipedrive.wire import older_instant, row
from automation.sandbox.records import Record
from automation.sandbox.state import Sandbox

PAGE, MOST = 100, 500


def listed(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    deal = sandbox.get("pipedrive", "deals", request.path_params["number"])
    if deal is None:
        return not_found()
    start, size = number_of_query(request, "start", 0), min(number_of_query(request, "limit", PAGE), MOST)
    every = taking_part(sandbox, deal)
    rows = [_row(sandbox, deal, person, start + place) for place, person in enumerate(every[start : start + size], 1)]
    extra = pagination(start, size, more=len(every) > start + size)
    return JSONResponse({"success": True, "data": rows or None, "additional_data": extra})


def add(sandbox: Sandbox, request: Request, body: Any) -> Response:
    deal = sandbox.get("pipedrive", "deals", request.path_params["number"])
    if deal is None:
        return not_found()
    person = sandbox.get("pipedrive", "persons", str(body.get("person_id")) if isinstance(body, dict) else "")
    if person is None:
        return bad("Validation failed: person_id: Required")
    sandbox.take_part(deal.id, person.id)
    place = 1 + [one.id for one in taking_part(sandbox, deal)].index(person.id)
    return JSONResponse({"success": True, "data": _row(sandbox, deal, person, place)})


def _row(sandbox: Sandbox, deal: Record, person: Record, place: int) -> dict[str, Any]:
    name, owner = person.properties.get("name"), person.properties.get("owner_id", 1)
    shown = row(sandbox, "persons", person)
    short = {"active_flag": True, "name": name, "email": shown["emails"], "phone": shown["phones"], "owner_id": owner}
    return {
        "id": int(deal.id) * 1000 + place,
        "person_id": {**short, "value": int(person.id)},
        "person": {**short, "id": int(person.id)},
        "add_time": older_instant(max(deal.created_at, person.created_at)),
        "active_flag": True,
        "related_item_type": "deal",
        "related_item_id": int(deal.id),
        "related_item_data": {"deal_id": int(deal.id), "title": deal.properties.get("title")},
        "added_by_user_id": {"id": 1, "active_flag": True, "value": 1},
    }
