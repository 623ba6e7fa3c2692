"""Signatures, credentials and tokens: the vendor's own vectors, the edges of the window, and what must not pass."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hubspot.utils.signature import Signature
from hypothesis import assume, given
from hypothesis import strategies as st

from api.security import REPLAY_WINDOW, Identity, basic_credentials, check_basic, check_hubspot_v3, token_of
from automation.access import Caller
from automation.sandbox import signing
from data.errors import Forbidden, LeadloopError, NotReady, Unauthorized
from data.settings import Scope
from tests.support import NOON

SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
URI = "https://www.example.com/webhook_uri"
BODY = b"{'example_field':'example_value'}"
TIMESTAMP = "15000000"
SIGNATURE = "HPW73RUtKmcYoEDADG0s6MmGFWUzWJKAW07r8RDgcQw="
SENT_AT = datetime.fromtimestamp(15_000, UTC)
# RFC 4231: key, message, HMAC-SHA-256. Cases 6 and 7 have a key that is longer than a block of 64 bytes.
RFC_4231 = {
    "1": (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    "2": (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    "3": (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    "4": (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    "6": (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    "7": (
        b"\xaa" * 131,
        (
            b"This is a test using a larger than block-size key and a larger than block-size data. "
            b"The key needs to be hashed before being used by the HMAC algorithm."
        ),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
}


def check(
    *,
    secret: str = SECRET,
    method: str = "POST",
    uri: str = URI,
    body: bytes = BODY,
    timestamp: str = TIMESTAMP,
    signature: str = SIGNATURE,
    now: datetime = SENT_AT,
) -> None:
    check_hubspot_v3(secret=secret, method=method, uri=uri, body=body, timestamp=timestamp, signature=signature, now=now)


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_the_vendors_own_vector_passes() -> None:
    check()


def test_the_vendors_own_vector_is_signed_alike() -> None:
    assert signing.hubspot_v3(SECRET, "POST", URI, BODY, int(TIMESTAMP)) == SIGNATURE


@given(body=st.text(), secret=st.text(min_size=1), sent=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)))
def test_the_official_sdk_signs_what_passes_here(body: str, secret: str, sent: datetime) -> None:
    assume(not any("\ud800" <= letter <= "\udfff" for letter in body + secret))
    now = sent.replace(tzinfo=UTC)
    timestamp = str(milliseconds(now))
    theirs = Signature.get_signature(secret, body, "v3", URI, "POST", timestamp)
    check(secret=secret, body=body.encode(), timestamp=timestamp, signature=theirs, now=now)
    assert signing.hubspot_v3(secret, "POST", URI, body.encode(), int(timestamp)) == theirs


@pytest.mark.parametrize(("key", "message", "digest"), RFC_4231.values(), ids=RFC_4231)
def test_the_sandbox_signs_by_the_rfc(key: bytes, message: bytes, digest: str) -> None:
    assert signing._hmac_sha256(key, message).hex() == digest


@pytest.mark.parametrize("length", [63, 64, 65, 200])
def test_a_secret_of_any_length_signs_what_passes(length: int) -> None:
    secret = "s" * length
    check(secret=secret, signature=signing.hubspot_v3(secret, "POST", URI, BODY, int(TIMESTAMP)))


@pytest.mark.parametrize(
    "changed",
    [
        {"body": BODY + b" "},
        {"body": b""},
        {"secret": SECRET + "y"},
        {"method": "PUT"},
        {"uri": URI + "/"},
        {"uri": URI.replace("https", "http")},
        {"timestamp": "15000001"},
        {"timestamp": "015000000"},
        {"signature": SIGNATURE.lower()},
        {"signature": SIGNATURE.rstrip("=")},
        {"signature": SIGNATURE + "="},
        {"signature": "é" * 44},
        {"signature": ""},
        {"timestamp": ""},
    ],
    ids=str,
)
def test_anything_tampered_with_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(Unauthorized):
        check(**changed)  # type: ignore[arg-type]


@given(body=st.binary(max_size=200), place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_one_flipped_bit_is_refused(body: bytes, place: int, bit: int) -> None:
    assume(body)
    place %= len(body)
    flipped = body[:place] + bytes([body[place] ^ (1 << bit)]) + body[place + 1 :]
    with pytest.raises(Unauthorized):
        check(body=flipped, signature=signing.hubspot_v3(SECRET, "POST", URI, body, int(TIMESTAMP)))


@pytest.mark.parametrize("side", [-1, 1], ids=["past", "future"])
def test_the_window_is_five_minutes_on_both_sides(side: int) -> None:
    for beyond, passes in ((timedelta(milliseconds=-1), True), (timedelta(), True), (timedelta(milliseconds=1), False)):
        timestamp = milliseconds(NOON + side * (timedelta(minutes=5) + beyond))
        signature = signing.hubspot_v3(SECRET, "POST", URI, BODY, timestamp)
        if passes:
            check(timestamp=str(timestamp), signature=signature, now=NOON)
        else:
            with pytest.raises(Unauthorized, match="five minutes"):
                check(timestamp=str(timestamp), signature=signature, now=NOON)
    assert timedelta(minutes=5) == REPLAY_WINDOW


@pytest.mark.parametrize(
    "timestamp",
    ["soon", "1.5e7", "15000000.0", "0x10", "nan", "-", "\x00", "9" * 30, "9" * 400, "9" * 5_000, "-" + "9" * 30, "２０２６x"],
)
def test_a_timestamp_that_is_no_time_is_refused(timestamp: str) -> None:
    with pytest.raises(Unauthorized, match="not a time in milliseconds"):
        check(timestamp=timestamp)


def test_basic_credentials_pass() -> None:
    check_basic(signing.basic("pipedrive", "pass:wörd"), user="pipedrive", password="pass:wörd")


def test_the_word_basic_may_be_in_any_case() -> None:
    check_basic("bAsIc " + base64.b64encode(b"u:p").decode(), user="u", password="p")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic dXNlcg",  # padding is missing
        basic("user"),  # no colon
        basic("user:"),
        basic(":password"),
        basic("user:password "),
        basic("user:passwor"),
        basic("User:password"),
        basic("us:er:password"),
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic \u00e9",
        "Basic \u4e2d\u6587",
        "Bearer " + base64.b64encode(b"user:password").decode(),
        base64.b64encode(b"user:password").decode(),
        "user:password",
    ],
)
def test_odd_basic_headers_are_refused(header: str) -> None:
    with pytest.raises(Unauthorized):
        check_basic(header, user="user", password="password")


@given(st.binary())
def test_no_header_breaks_the_reading_of_credentials(header: bytes) -> None:
    for text in (header, b"Basic " + header, b"Bearer " + header):
        assert token_of(text) != b""
        plain = text.decode("latin-1")
        assert basic_credentials(plain) is None or ":" in base64.b64decode(plain.partition(" ")[2]).decode()


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (b"", None),
        (b"Bearer", None),
        (b"Bearer  ", None),
        (b"a-token", None),
        (b"Token a-token", None),
        (b"Bearer a-token", b"a-token"),
        (b"bEARER  a-token ", b"a-token"),
        (b"Bearer two words", b"two words"),
        ("Bearer tökén".encode(), "tökén".encode()),
        (basic("anybody:a-token").encode(), b"a-token"),
        (basic("anybody:tökén").encode(), "tökén".encode()),
        (basic("anybody:").encode(), None),
    ],
)
def test_a_token_comes_as_bearer_or_from_browsers_as_password(header: bytes, token: bytes | None) -> None:
    assert token_of(header) == token


@pytest.mark.parametrize("scope", Scope)
def test_admin_passes_everywhere(scope: Scope) -> None:
    assert Identity(Caller("me", frozenset({Scope.ADMIN})), given=True).need(scope).name == "me"


@pytest.mark.parametrize("scope", Scope)
def test_another_scope_does_not_pass(scope: Scope) -> None:
    assert Identity(Caller("me", frozenset({scope})), given=True).need(scope).name == "me"
    for other in Scope:
        if scope not in (other, Scope.ADMIN):
            with pytest.raises(Forbidden, match=other):
                Identity(Caller("me", frozenset({scope})), given=True).need(other)


@pytest.mark.parametrize(
    ("identity", "error"),
    [(Identity(), Unauthorized), (Identity(given=True), Unauthorized), (Identity(given=True, error=NotReady("away")), NotReady)],
)
def test_who_is_not_known_does_not_pass(identity: Identity, error: type[LeadloopError]) -> None:
    with pytest.raises(error):
        identity.need(Scope.READ)
