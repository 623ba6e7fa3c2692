"""Requests of ill will: made of the service's own OpenAPI, of mutated vendor payloads, and of odd heads. Drawn from a seed."""

import base64
import json
import random
import string
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from automation.sandbox import signing
from data.settings import Scope
from tests.fuzz import mutate
from tests.support import HUBSPOT_SECRET, HUBSPOT_URL, PIPEDRIVE_PASSWORD, PIPEDRIVE_USER, TOKENS

PAYLOADS = Path(__file__).parent.parent / "payloads"
SOURCES = ("hubspot", "pipedrive", "generic")
# kind -> how many of a hundred
SHARES = {"vendor": 50, "operation": 40, "odd": 10}
PLACES = ("", "score", "collect/hubspot", "models/", "dead-letters/", "deliveries/", "..%2f", "%00")
STRINGS = ("lead_score", "contact", "ada@example.com", "1", "slack", "hubspot", "2026-03-02T12:00:00Z", "x")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "x")
HEADERS = (
    ("Content-Type", "text/plain"), ("Content-Type", "application/json; charset=utf-16"), ("Content-Type", "multipart/form-data"),
    ("Content-Encoding", "gzip"), ("Accept", "\xff"), ("Authorization", "Bearer"), ("Authorization", "Basic !!!"),
    ("Authorization", "Bearer " + "a" * 4000), ("X-Forwarded-For", "::::"), ("X-Request-Id", "\x01\x02"), ("Range", "bytes=0-"),
    ("X-HubSpot-Request-Timestamp", "never"), ("X-HubSpot-Signature-v3", "é"), ("Expect", "100-continue"), ("Origin", "null"),
    ("If-None-Match", "*"), ("Cookie", "a=" + "b" * 2000), ("X-Correlation-Id", "x" * 3000),
)  # fmt: skip


@dataclass(frozen=True)
class Hostile:
    """One request. `source`: it is a payload of this sender, with the sender's own proof of who it is."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    source: str | None = None


class Maker:
    """Draws requests, the same ones from the same seed and place but for the moment that HubSpot signs."""

    def __init__(self, openapi: dict[str, Any], seed: int) -> None:
        self._draw = random.Random(seed)
        self._schemas: dict[str, Any] = openapi["components"]["schemas"]
        self._operations = [
            (path, method, operation)
            for path, methods in openapi["paths"].items()
            for method, operation in methods.items()
            if not path.startswith("/collect/{")
        ]
        self._payloads = {source: [_sent(path) for path in sorted((PAYLOADS / source).glob("*.json"))] for source in SOURCES}

    def every(self) -> Iterator[Hostile]:
        """Without end."""
        kinds = {"vendor": self._vendor, "operation": self._operation, "odd": self._odd}
        while True:
            (kind,) = self._draw.choices(list(SHARES), list(SHARES.values()))
            yield kinds[kind]()

    def _vendor(self) -> Hostile:
        """A recorded payload, mutated, and signed as its sender would sign just these bytes."""
        source = self._draw.choice(SOURCES)
        original = self._draw.choice(self._payloads[source])
        if isinstance(original, bytes):
            body = mutate.BYTES[self._draw.randrange(len(mutate.BYTES))](self._draw, original)
        else:
            body = mutate.body(self._draw, mutate.json_value(self._draw, original))
        driver = self._draw.choice(("", "?driver=n8n", "?driver=worker"))
        headers = {"Content-Type": "application/json", **_proof(source, body)}
        return Hostile("POST", f"/collect/{source}{driver}", headers, body, source)

    def _operation(self) -> Hostile:
        """Any operation with arguments that are about what it wants."""
        path, method, operation = self._draw.choice(self._operations)
        query = []
        for parameter in operation.get("parameters", ()):
            value = self._text(self._value(parameter["schema"]))
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", quote(value or "x", safe="", errors="surrogatepass"))
            elif parameter["in"] == "query" and self._draw.random() < 0.7:
                query.append(f"{parameter['name']}={quote(value, errors='surrogatepass')}")
        headers, body = _bearer(self._draw.choice(list(Scope)) if self._draw.random() < 0.2 else Scope.ADMIN), b""
        if (content := operation.get("requestBody", {}).get("content", {}).get("application/json")) is not None:
            value = self._value(content["schema"])
            body = mutate.body(self._draw, mutate.json_value(self._draw, value) if self._draw.random() < 0.5 else value)
            headers["Content-Type"] = "application/json"
        return Hostile(method.upper(), path + ("?" + "&".join(query) if query else ""), headers, body)

    def _odd(self) -> Hostile:
        """Methods, paths and headers that nobody uses."""
        some = "".join(self._draw.choices(string.printable[:94], k=self._draw.randrange(60)))
        path = (
            "/"
            + self._draw.choice(("", "score", "collect/hubspot", "models/", "dead-letters/", "deliveries/", "..%2f", "%00"))
            + quote(some)
        )
        headers = {**_bearer(self._draw.choice(list(Scope))), **dict(self._draw.choices(HEADERS, k=self._draw.randrange(4)))}
        return Hostile(self._draw.choice(METHODS), path, headers, self._draw.randbytes(self._draw.choice((0, 0, 10, 3000))))

    def _value(self, schema: dict[str, Any], depth: int = 0) -> Any:
        """A value that fits a schema, or nearly: one in ten is anything."""
        if self._draw.random() < 0.1:
            return mutate.boundary(self._draw)
        if "$ref" in schema:
            return self._value(self._schemas[schema["$ref"].rsplit("/", 1)[-1]], depth + 1) if depth < 6 else None
        if several := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
            return self._value(self._draw.choice(several), depth + 1)
        if "const" in schema or "enum" in schema:
            return schema.get("const") or self._draw.choice(schema["enum"])
        match schema.get("type"):
            case "object":
                wanted = schema.get("properties", {})
                made = {name: self._value(each, depth + 1) for name, each in wanted.items() if self._draw.random() < 0.85}
                return made or {"x": mutate.boundary(self._draw)}
            case "array":
                return [self._value(schema.get("items", {}), depth + 1) for _ in range(self._draw.randrange(4))]
            case "integer":
                return self._draw.choice((0, 1, 2, 3, 50, self._draw.randrange(10_000)))
            case "number":
                return self._draw.uniform(-1, 2)
            case "boolean":
                return self._draw.random() < 0.5
            case "string":
                return self._draw.choice(
                    ("lead_score", "contact", "ada@example.com", "1", "slack", "hubspot", "2026-03-02T12:00:00Z", "x")
                )
        return mutate.boundary(self._draw)

    def _text(self, value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value)


def _sent(path: Path) -> Any:
    """What a recorded payload's sender sent: a value, or a text that is no JSON."""
    body = json.loads(path.read_text())["body"]
    return body.encode() if isinstance(body, str) else body


def _proof(source: str, body: bytes) -> dict[str, str]:
    if source == "hubspot":
        moment = int(time.time() * 1000)
        signature = signing.hubspot_v3(HUBSPOT_SECRET, "POST", HUBSPOT_URL, body, moment)
        return {"X-HubSpot-Request-Timestamp": str(moment), "X-HubSpot-Signature-v3": signature}
    if source == "pipedrive":
        return {"Authorization": "Basic " + base64.b64encode(f"{PIPEDRIVE_USER}:{PIPEDRIVE_PASSWORD}".encode()).decode()}
    return _bearer(Scope.COLLECT)


def _bearer(scope: Scope) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[scope]}"}
