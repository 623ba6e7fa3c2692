"""The account beside its records: who asks, its users and currencies, and its webhooks.

https://developers.pipedrive.com/docs/api/v1/Users, .../Currencies, .../Webhooks
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from automation.sandbox.accounts import Webhook
from automation.sandbox.pipedrive.lists import bad, not_found
from automation.sandbox.pipedrive.schema import KINDS
from automation.sandbox.pipedrive.wire import older_instant, row
from automation.sandbox.state import Sandbox

MOST_WEBHOOKS = 40
ACTIONS = {"create", "change", "delete", "*"}
ENTITIES = {kind.entity for kind in KINDS.values()} | {"*"}


def me(sandbox: Sandbox, _request: Request, _body: Any) -> Response:
    account = sandbox.pipedrive_account
    said = {
        "company_id": account.company_id, "company_name": "Customer", "company_domain": "customer", "company_country": "DE",
        "company_industry": None, "language": {"language_code": "en", "country_code": "US"}, "locale": account.locale,
        "default_currency": account.currency, "timezone_name": account.time_zone,
    }  # fmt: skip
    record = sandbox.get("pipedrive", "users", "1")
    return JSONResponse({"success": True, "data": {**(row(sandbox, "users", record) if record else {}), **said}})


def users(sandbox: Sandbox, _request: Request, _body: Any) -> Response:
    """All of them: who was switched off is in the list too, and says so."""
    store = sandbox.store("pipedrive", "users")
    rows = [row(sandbox, "users", record) for record in (*sandbox.records("pipedrive", "users"), *store.archived.values())]
    return JSONResponse({"success": True, "data": rows, "additional_data": {"pagination": {"more_items_in_collection": False}}})


def currencies(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    term = request.query_params.get("term", "").lower()
    rows = sandbox.pipedrive_account.currencies
    return JSONResponse({"success": True, "data": [each for each in rows if term in f"{each['code']} {each['name']}".lower()]})


def list_webhooks(sandbox: Sandbox, _request: Request, _body: Any) -> Response:
    rows = [_shown(sandbox, webhook) for webhook in sandbox.pipedrive_account.webhooks.values()]
    return JSONResponse({"status": "ok", "success": True, "data": rows})


def create_webhook(sandbox: Sandbox, _request: Request, body: Any) -> Response:
    given, account = body if isinstance(body, dict) else {}, sandbox.pipedrive_account
    if missing := [name for name in ("subscription_url", "event_action", "event_object") if not given.get(name)]:
        return _refused(dict.fromkeys(missing, "is required"))
    if given["event_action"] not in ACTIONS or given["event_object"] not in ENTITIES:
        return _refused({"event": "unknown action or object"})
    if len(account.webhooks) >= MOST_WEBHOOKS:
        return bad(f"Maximum of {MOST_WEBHOOKS} webhooks reached")
    webhook = account.add_webhook(
        given["subscription_url"], given["event_action"], given["event_object"], now=sandbox.now(), name=given.get("name", ""),
        user=given.get("http_auth_user"), password=given.get("http_auth_password"),
    )  # fmt: skip
    return JSONResponse({"status": "ok", "success": True, "data": _shown(sandbox, webhook)}, 201)


def delete_webhook(sandbox: Sandbox, request: Request, _body: Any) -> Response:
    number = request.path_params["number"]
    if not number.isdigit() or sandbox.pipedrive_account.webhooks.pop(int(number), None) is None:
        return not_found()
    return JSONResponse({"status": "ok", "success": True})


def _shown(sandbox: Sandbox, webhook: Webhook) -> dict[str, Any]:
    last = webhook.last_success_at
    return {
        "id": webhook.id, "company_id": sandbox.pipedrive_account.company_id, "owner_id": 1, "user_id": 1, "name": webhook.name,
        "event_action": webhook.action, "event_object": webhook.entity, "subscription_url": webhook.url, "version": "2.0",
        "is_active": 1, "add_time": older_instant(webhook.added_at), "remove_time": None, "type": "general",
        "http_auth_user": webhook.user, "http_auth_password": webhook.password, "remove_reason": None,
        "last_delivery_time": None if last is None else older_instant(last), "last_http_status": webhook.last_status, "admin_id": 1,
    }  # fmt: skip


def _refused(errors: dict[str, str]) -> Response:
    return JSONResponse({"status": "error", "success": False, "errors": errors}, 400)
