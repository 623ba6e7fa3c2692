"""What the stand-ins received, on a small page and as JSON under `/_sandbox/`."""

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from automation.sandbox.habits import TABLE
from automation.sandbox.records import Record
from automation.sandbox.state import Sandbox

NEWEST = 50
TEMPLATE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<title>Sandbox</title><style>:root{color-scheme:light dark}body{font:15px/1.45 system-ui,sans-serif;margin:1.2rem auto;
max-width:70rem;padding:0 1rem}td,th{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #8883;vertical-align:top}
table{border-collapse:collapse;width:100%}.message{border-left:4px solid #d9480f;padding:.2rem .8rem;margin:.6rem 0;
white-space:pre-line}</style></head><body><h1>What the stand-ins received</h1>
<p>JSON: <a href="/_sandbox/messages">messages</a> · <a href="/_sandbox/records">records</a> · <a href="/_sandbox/requests">requests</a> ·
<a href="/_sandbox/snapshot">snapshot</a> · <a href="/_sandbox/ledger">what was sent</a> · <a href="/_sandbox/habits">habits</a></p>
<p>{% if habits %}Bad habits that are on: {% for name, means in habits %}<b>{{ name }}</b> ({{ means }}){{ ", " if not loop.last }}{% endfor %}.
{% else %}No bad habit is on.{% endif %}</p>
<h2>Slack, {{ messages | length }} messages</h2>
{% for m in messages[-20:] | reverse %}<div class="message"><b>{{ m.text }}</b>
{% for block in m.blocks if block.type == "section" %}{{ block.text.text }}{% endfor %}</div>{% else %}<p>None yet.</p>{% endfor %}
<h2>CRM records with predicted_ fields</h2><table><tr><th>vendor</th><th>record</th><th>score</th><th>grade</th><th>label</th><th>why</th></tr>
{% for r in scored %}<tr><td>{{ r.vendor }}</td><td>{{ r.who }}</td><td>{{ r.fields.predicted_score }}</td><td>{{ r.fields.predicted_grade }}</td>
<td>{{ r.fields.predicted_label }}</td><td>{{ r.fields.predicted_factors }}</td></tr>{% else %}<tr><td colspan="6">None yet.</td></tr>{% endfor %}
</table></body></html>"""

_page = Environment(autoescape=select_autoescape(default_for_string=True)).from_string(TEMPLATE)


def routes(sandbox: Sandbox) -> list[Route]:
    def json(build: Callable[[Sandbox], Any]) -> Callable[[Request], Response]:
        return lambda _request: JSONResponse(build(sandbox))

    return [
        Route("/", lambda _request: HTMLResponse(_rendered(sandbox))),
        Route("/_sandbox/messages", json(lambda box: box.messages())),
        Route("/_sandbox/records", json(_records)),
        Route("/_sandbox/requests", json(_requests)),
    ]


def _rendered(sandbox: Sandbox) -> str:
    habits = [(name, TABLE[name].means) for name in sandbox.habits.on()]
    return _page.render(messages=sandbox.messages(), scored=_scored(sandbox), habits=habits)


def _scored(sandbox: Sandbox) -> list[dict[str, Any]]:
    found = [
        (vendor, record)
        for vendor, kind in (("hubspot", "contacts"), ("pipedrive", "persons"))
        for record in sandbox.records(vendor, kind)
        if "predicted_score" in record.properties
    ]
    found.sort(key=lambda pair: pair[1].updated_at, reverse=True)
    return [{"vendor": vendor, "who": _who(record), "fields": record.properties} for vendor, record in found[:NEWEST]]


def _who(record: Record) -> str:
    return str(record.properties.get("email") or record.properties.get("name") or record.id)


def _records(sandbox: Sandbox) -> dict[str, Any]:
    stores = {"hubspot": sandbox.hubspot, "pipedrive": sandbox.pipedrive}
    with sandbox.lock:
        return {
            vendor: {kind: [{"id": r.id, "properties": r.properties} for r in store.live.values()] for kind, store in kinds.items()}
            for vendor, kinds in stores.items()
        }


def _requests(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [
        {"at": r.at.isoformat(), "vendor": r.vendor, "method": r.method, "path": r.path, "status": r.status}
        for r in list(sandbox.requests)
    ]
