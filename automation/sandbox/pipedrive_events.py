"""Pipedrive's webhooks v2, as their sender writes them: one message for each event.

https://pipedrive.readme.io/docs/guide-for-webhooks-v2: `previous` has what changed, or of what is deleted the last state; a merge
is told twice; an edit of many records at once is a message for each, all with one correlation id.
"""

from datetime import timedelta
from typing import Any

from automation.sandbox.accounts import COMPANY_ID
from automation.sandbox.hubspot.text import stamp
from automation.sandbox.pipedrive.schema import KINDS
from automation.sandbox.pipedrive.wire import webhook_data, webhook_values
from automation.sandbox.state import Sandbox
from automation.sandbox.world import Happening

ACTIONS = {"created": "create", "changed": "change", "restored": "change", "deleted": "delete", "erased": "delete"}
HOST = "customer.pipedrive.com"


def message_of(
    sandbox: Sandbox, happening: Happening, number: int, *, skew_ms: int = 0, correlation: int | None = None, **more: Any
) -> dict[str, Any]:
    """The message that tells of something. `more` goes into `meta`: the ids of a merge, or that it was one of many."""
    kind, store = happening.kind, sandbox.store("pipedrive", happening.kind)
    record = store.live.get(happening.id)
    data = webhook_data(sandbox, kind, record) if record is not None else None
    previous = webhook_values(sandbox, kind, happening.previous) if happening.previous else None
    if happening.verb in {"deleted", "erased"}:
        gone = store.archived.get(happening.id)
        data, previous = None, webhook_data(sandbox, kind, gone) if gone is not None else None
    return {"meta": _meta(happening, number, skew_ms, correlation, more), "data": data, "previous": previous}


def _meta(happening: Happening, number: int, skew_ms: int, correlation: int | None, more: dict[str, Any]) -> dict[str, Any]:
    moment = happening.at + timedelta(milliseconds=skew_ms)
    return {
        "action": ACTIONS[happening.verb], "entity": KINDS[happening.kind].entity, "entity_id": happening.id,
        "company_id": str(COMPANY_ID), "user_id": "1", "id": _uuid(number), "correlation_id": _uuid(correlation or number),
        "webhook_id": "7", "webhook_owner_id": "1", "timestamp": stamp(moment), "version": "2.0", "type": "general",
        "is_bulk_edit": False, "change_source": "api" if happening.source.by_api else "app", "permitted_user_ids": ["1"],
        "attempt": 1, "host": HOST, **more,
    }  # fmt: skip


def _uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"
