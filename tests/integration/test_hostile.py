"""Requests that no sender of good will makes. Each gets a clear answer; none a 500; nothing is lost, and the service goes on."""

import base64
import json
import socket
from contextlib import suppress
from dataclasses import dataclass

import httpx
import pytest

from api.guard import MOST_HEADER_BYTES, MOST_HEADERS, MOST_QUERY_BYTES
from automation.pipeline.context import Loop
from automation.pipeline.letters import MOST_LETTERS
from data.nesting import DEEPEST
from data.settings import Scope
from tests.integration.test_bad_input import GOOD, hubspot
from tests.support import HOT, TOKENS, bearer, generic

pytestmark = pytest.mark.slow

HOST = b"Host: leadloop.example\r\n"
READ = f"Authorization: Bearer {TOKENS[Scope.READ]}\r\n".encode()


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    closed: bool


def send(api: httpx.Client, *parts: bytes) -> Answer:
    """These bytes on a socket of their own, and what came back for the first request."""
    with socket.create_connection((api.base_url.host, api.base_url.port or 80), timeout=20) as connection:
        with suppress(OSError):  # it hangs up on those who go on
            for part in parts:
                connection.sendall(part)
        return read(connection)


def read(connection: socket.socket) -> Answer:
    found = b""
    try:
        while more := connection.recv(65_536):
            found += more
            head, separator, body = found.partition(b"\r\n\r\n")
            length = [line for line in head.lower().splitlines() if line.startswith(b"content-length:")]
            if separator and length and len(body) >= int(length[0].partition(b":")[2]):
                return Answer(int(head[9:12]), body, closed=False)
    except ConnectionError:
        pass
    head, _, body = found.partition(b"\r\n\r\n")
    return Answer(int(head[9:12]) if head else 0, body, closed=True)


def get(path: bytes, *headers: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"".join(headers) + b"\r\n"


# Heads


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get(b"/deliveries", READ), 200),
        (get(b"/deliveries", READ, READ), 400),
        (get(b"/deliveries", READ, b"authorization: Bearer another\r\n"), 400),
        (get(b"/deliveries", READ, b"Content-Type: a\r\nContent-Type: b\r\n"), 400),
        (get(b"/deliveries", READ, b"X-HubSpot-Signature-v3: a\r\nX-HubSpot-Signature-v3: b\r\n"), 400),
        (get(b"/deliveries", READ, b"Host: another\r\n"), 400),
        (get(b"/deliveries", READ, b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + b"0\r\n\r\n", 400),
        (get(b"/deliveries", READ, b"Content-Length: 5\r\nContent-Length: 6\r\n"), 400),
        (get(b"/deliveries", READ, b"Content-Length: -5\r\n"), 400),
        (get(b"/deliveries", READ, b"Content-Length: " + b"9" * 5_000 + b"\r\n"), 400),
        (get(b"/deliveries", READ, b"Content-Length: " + b"9" * 19 + b"\r\n"), 413),
        (get(b"/deliveries", READ, b"Transfer-Encoding: gzip, chunked\r\n"), 400),
        (get(b"/deliveries", READ.replace(b": ", b" : ")), 400),
        (get(b"/deliveries", READ, *[b"X-%d: 1\r\n" % number for number in range(MOST_HEADERS)]), 431),
        (get(b"/deliveries", READ, b"X: " + b"a" * MOST_HEADER_BYTES + b"\r\n"), 431),
        (get(b"/deliveries?x=" + b"a" * MOST_QUERY_BYTES, READ), 414),
        (get(b"/deliveries?" + b"&".join([b"limit=1"] * 900), READ), 200),
        (get(b"/" + b"a" * 10_000, READ), 404),
        (b"GET /deliveries HTTP/1.1\r\n" + READ + b"\r\n", 400),
        (b"GET /deliveries\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"\x00" * 100 + b"\r\n\r\n", 400),
        (get(b"/deliver\xffies", READ), 400),
        (get(b"/deliveries", READ, b"Upgrade: websocket\r\nConnection: Upgrade\r\n"), 200),
        (get(b"http://elsewhere.example/deliveries", READ), 404),
        (get(b"*", READ), 404),
        (get(b"/deliveries", READ, b"X-Correlation-Id: \xc3\xa9\xe2\x80\xae\r\n"), 200),
        *((get(b"/deliveries", READ).replace(b"GET", method), 405) for method in (b"TRACE", b"PATCH", b"get", b"FOO")),
        (get(b"/deliveries", READ).replace(b"GET /deliveries", b"CONNECT elsewhere.example:80"), 404),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_odd_head_gets_a_clear_answer(api: httpx.Client, request_bytes: bytes, status: int) -> None:
    assert send(api, request_bytes).status == status
    assert api.get("/health/live").status_code == 200


def test_a_head_that_does_not_end_is_cut_off(api: httpx.Client) -> None:
    answer = send(api, get(b"/deliveries", READ)[:-2], *[b"X: " + b"a" * 60_000 for _ in range(20)])
    assert answer.status in {0, 400}
    assert answer.closed


@pytest.mark.parametrize(
    "path",
    [
        b"/models/%00", b"/models/%2e%2e", b"/models/..%2F..%2Fetc%2Fpasswd", b"/models/%ff%fe", b"/models/%zz%u1234",
        b"/models/%ED%A0%80", b"/models/%E2%80%AE%0a%1b%5b2J", b"/models/%EF%BC%8E%EF%BC%8E%EF%BC%8F", b"/models/lead_score%00",
        b"/models/%6Cead_score/%2e%2e/nobody", b"//models", b"/models/lead%20score", b"/models/lead_score%2Fversions",
    ],
)  # fmt: skip
def test_tricks_in_a_path_find_nothing(api: httpx.Client, path: bytes) -> None:
    answer = send(api, get(path, READ))
    assert answer.status == 404, answer
    assert not set(answer.body) & set(b"\x00\x1b\n")


@pytest.mark.parametrize("name", ["%00", "%2e%2e", "..%2F..%2Fetc", "%E2%80%AE", "a%0ab", "%ff", "n8n%00"])
def test_tricks_in_what_is_changed_change_nothing(api: httpx.Client, name: str) -> None:
    admin = bearer(Scope.ADMIN)
    assert api.post(f"/tokens/{name}/revoke", headers=admin).status_code in {404, 422}
    assert api.post(f"/deliveries/{name}/confirm", json={"lease_id": "x"}, headers=bearer(Scope.ACTIVATE)).status_code in {404, 422}
    assert api.post(f"/collect/{name}", content=b"[]", headers=bearer(Scope.COLLECT)).status_code == 404
    assert api.put(f"/models/{name}/traffic", json={"challenger": 1, "mode": "live"}, headers=admin).status_code in {404, 422}


@pytest.mark.parametrize("version", ["a\x00b", "\x00", "-1", "1 ", "", "9" * 40, "latest", None, 1])
def test_no_version_is_called_so(api: httpx.Client, version: object) -> None:
    answer = api.post("/models/lead_score/promote", json={"version": version}, headers=bearer(Scope.ADMIN))
    assert answer.status_code == 422


@pytest.mark.parametrize("query", ["source=%00", "source=a%00b&limit=50", "before=%00", "x=%00", "%00=1", "destination=%00"])
def test_nobody_asks_for_a_nul(api: httpx.Client, query: str) -> None:
    for path in ("/dead-letters", "/deliveries", "/audit", "/events/schema"):
        assert api.get(f"{path}?{query}", headers=bearer(Scope.ADMIN)).status_code == 400


def test_another_sites_page_cannot_use_a_browsers_password(api: httpx.Client) -> None:
    basic = {"Authorization": "Basic " + base64.b64encode(f"me:{TOKENS[Scope.ADMIN]}".encode()).decode()}
    body = {"name": "evil", "scopes": ["admin"]}
    for told in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        assert api.post("/tokens", json=body, headers={**basic, **told}).status_code == 403
        assert api.get("/tokens", headers={**basic, **told}).json() == []
    ours = {"Origin": str(api.base_url).rstrip("/")}
    assert api.post("/tokens", json=body | {"name": "a"}, headers={**basic, **ours}).status_code == 201
    assert api.post("/tokens", json=body | {"name": "b"}, headers={**basic, "Sec-Fetch-Site": "same-origin"}).status_code == 201
    assert api.post("/tokens", json=body | {"name": "c"}, headers=basic).status_code == 201
    # A bearer token is added by no browser by itself.
    told = {**bearer(Scope.ADMIN), "Sec-Fetch-Site": "cross-site"}
    assert api.post("/tokens", json=body | {"name": "d"}, headers=told).status_code == 201


@pytest.mark.parametrize("path", ["/", "/docs", "/health/live", "/nowhere", "/deliveries"])
def test_no_answer_is_taken_for_something_else_or_shown_in_another_site(api: httpx.Client, path: str) -> None:
    headers = api.get(path).headers
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")


# Bodies

TYPED = {
    "/score": Scope.SCORE,
    "/predict/lead_score": Scope.SCORE,
    "/predict/events": Scope.SCORE,
    "/explain/compare": Scope.SCORE,
    "/collect/predictions": Scope.PREDICTIONS,
    "/deliveries/lease": Scope.ACTIVATE,
    "/models/lead_score/traffic": Scope.ADMIN,
    "/tokens": Scope.ADMIN,
}
BODIES: dict[str, bytes] = {
    "unclosed": b"[" * 100_000,
    "deep": b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1),
    "deep in a field": b'{"features":' + b"[" * DEEPEST + b"]" * DEEPEST + b"}",
    "100,000 digits": b'{"sessions":' + b"9" * 100_000 + b"}",
    "4,000 digits": b'{"sessions":' + b"9" * 4000 + b', "limit":' + b"9" * 4000 + b"}",
    "infinite by exponent": b'{"sessions":1e999999,"challenger":1e9999,"limit":1e9999,"lease_seconds":1e999,"lasts_hours":1e999}',
    "minus infinity": b"[-1e999999]",
    "a long fraction": b'{"sessions":0.' + b"1" * 500_000 + b"}",
    "NaN": b'{"sessions":NaN,"challenger":NaN}',
    "UTF-16": '{"sessions":1}'.encode("utf-16"),
    "UTF-32, deep": ("[" * 70).encode("utf-32-le"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "no UTF-8": b'{"channel":"\xff\xfe"}',
    "lone surrogates": b'{"channel":"\\ud800","features":{"\\udfff":1},"name":"\\udfff"}',
    "NUL": b'{"channel":"\\u0000","features":{"\\u0000":1},"name":"\\u0000"}',
    "one key again and again": b"{" + b",".join([b'"sessions":1'] * 20_000) + b"}",
    "many keys": b"{" + b",".join(b'"a%d":1' % number for number in range(20_000)) + b"}",
    "many items": b'{"scopes":[' + b'"x",' * 200_000 + b'"read"],"name":"a","event_ids":[' + b"1," * 100_000 + b"1]}",
    "an object of no fields": b"{}",
    "null": b"null",
    "a text": b'"x"',
    "compressed": b"\x1f\x8b\x08\x00" + b"\x00" * 20,
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("path", TYPED)
def test_no_body_breaks_a_typed_door(api: httpx.Client, path: str) -> None:
    method = "PUT" if path.endswith("traffic") else "POST"
    for name, body in BODIES.items():
        for kind in ("application/json", "Application/JSON; charset=utf-16", "application/vnd.api+json", "text/plain", 'a/b;="'):
            answer = api.request(method, path, content=body, headers={**bearer(TYPED[path]), "Content-Type": kind})
            assert answer.status_code < 500, (name, kind, answer.text)
            assert answer.status_code < 400 or answer.headers["content-type"] == "application/problem+json"
            if "deep" in name and "json" in kind.lower():
                assert answer.status_code == 422, (name, kind)
                assert "levels deep" in answer.text or "UTF-8" in answer.text


def test_nesting_up_to_the_limit_is_taken(api: httpx.Client) -> None:
    inside = json.loads("[" * (DEEPEST - 1) + "]" * (DEEPEST - 1))
    assert api.post("/score", json={**HOT, "more": inside}, headers=bearer(Scope.SCORE)).status_code == 200
    assert api.post("/score", json={**HOT, "more": [inside]}, headers=bearer(Scope.SCORE)).status_code == 422
    brackets = {**HOT, "more": "[" * 500, "beside": [[]] * 500}
    assert api.post("/score", json=brackets, headers=bearer(Scope.SCORE)).status_code == 200


@pytest.mark.parametrize("name", BODIES)
def test_the_collector_takes_any_body_and_keeps_it(api: httpx.Client, loop: Loop, name: str) -> None:
    answer = api.post("/collect/generic", content=BODIES[name], headers=bearer(Scope.COLLECT))
    assert answer.status_code == 202, answer.text
    assert answer.json()["accepted"] == 0
    letters = api.get("/dead-letters", headers=bearer(Scope.READ)).json()
    assert len(letters) == answer.json()["rejected"] >= 1
    if "deep" in name and "UTF" not in name:
        assert f"nested too deeply: more than {DEEPEST} levels" in letters[0]["reason"]
        assert letters[0]["content"] == BODIES[name].decode()


def test_a_property_that_is_nested_too_deeply_is_a_dead_letter_with_its_bytes(api: httpx.Client) -> None:
    body = json.dumps([generic(), generic(deep=json.loads("[" * DEEPEST + "]" * DEEPEST))]).encode()
    answer = api.post("/collect/generic", content=body, headers=bearer(Scope.COLLECT))
    assert (answer.status_code, answer.json()["rejected"]) == (202, 1)
    (letter,) = api.get("/dead-letters", headers=bearer(Scope.READ)).json()
    assert letter["content"].encode() == body
    fits = generic(deep=json.loads("[" * (DEEPEST - 2) + "]" * (DEEPEST - 2)))
    assert api.post("/collect/generic", json=fits, headers=bearer(Scope.COLLECT)).json()["accepted"] == 1


def test_thousands_of_odd_items_are_counted_and_kept_but_not_one_by_one(api: httpx.Client) -> None:
    answer = api.post("/collect/generic", json=[1] * (MOST_LETTERS + 5) + [generic()], headers=bearer(Scope.COLLECT)).json()
    assert (answer["accepted"], answer["rejected"]) == (1, MOST_LETTERS + 5)
    letters = api.get("/dead-letters?limit=1000", headers=bearer(Scope.READ)).json()
    assert letters[0]["reason"].startswith("5 more items")
    older = api.get(f"/dead-letters?limit=1000&before={letters[-1]['id']}", headers=bearer(Scope.READ)).json()
    assert len(letters) + len(older) == MOST_LETTERS + 1


@pytest.mark.parametrize("stated", [True, False])
def test_a_body_beyond_the_limit_is_refused_as_soon_as_it_is_one(api: httpx.Client, stated: bool) -> None:
    head = b"POST /collect/generic HTTP/1.1\r\n" + HOST + f"Authorization: Bearer {TOKENS[Scope.COLLECT]}\r\n".encode()
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    parts = [head + b"Content-Length: 2000000\r\n\r\n"] if stated else [head + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 20]
    assert send(api, *parts).status == 413  # before the end of it was sent


def test_an_odd_chunk_is_refused(api: httpx.Client) -> None:
    head = b"POST /score HTTP/1.1\r\n" + HOST + READ + b"Transfer-Encoding: chunked\r\n\r\n"
    for chunk in (b"zz\r\nab\r\n0\r\n\r\n", b"-1\r\na\r\n0\r\n\r\n", b"ffffffffffffffffffffffff\r\na\r\n"):
        assert send(api, head + chunk).status in {0, 400}
    assert api.get("/health/live").status_code == 200


def test_a_signed_request_again_within_its_window_changes_nothing(api: httpx.Client, loop: Loop) -> None:
    body = json.dumps([GOOD, {**GOOD, "eventId": 2, "objectId": 4}]).encode()
    first, *again = [hubspot(api, body).json() for _ in range(4)]
    assert (first["accepted"], first["duplicates"]) == (2, 0)
    assert [(found["accepted"], found["duplicates"], found["events"]) for found in again] == [(0, 2, [])] * 3
