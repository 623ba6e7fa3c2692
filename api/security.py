"""Signatures, tokens and the replay window: pure functions over bytes, in constant time where secrets are compared."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from data.errors import Forbidden, Unauthorized
from data.settings import Scope

REPLAY_WINDOW = timedelta(minutes=5)


def check_hubspot_v3(*, secret: str, method: str, uri: str, body: bytes, timestamp: str, signature: str, now: datetime) -> None:
    """HubSpot's v3 signature: base64(HMAC-SHA256(secret, method + URI + body + timestamp)), and its replay window.

    The window is checked on both sides: the vendor's own SDK lets a time in the future pass.
    https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests

    Raises:
        Unauthorized: the signature or the time is missing or wrong.
    """
    if not signature or not timestamp:
        raise Unauthorized("X-HubSpot-Signature-v3 or X-HubSpot-Request-Timestamp is missing")
    _check_age(timestamp, now)
    message = method.encode() + uri.encode() + body + timestamp.encode()
    wanted = base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest())
    if not hmac.compare_digest(wanted, signature.encode("utf-8", "replace")):
        raise Unauthorized("X-HubSpot-Signature-v3 does not fit: is HUBSPOT_WEBHOOK_URL the address that HubSpot calls?")


def check_basic(header: str, *, user: str, password: str) -> None:
    """HTTP Basic authentication, as Pipedrive's webhooks have it.

    Raises:
        Unauthorized: missing or wrong.
    """
    given = basic_credentials(header)
    wanted = f"{user}:{password}"
    if given is None or not hmac.compare_digest(_digest(":".join(given)), _digest(wanted)):
        raise Unauthorized("HTTP Basic credentials are missing or wrong")


def basic_credentials(header: str) -> tuple[str, str] | None:
    """User and password of an Authorization header, or None."""
    kind, _, value = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        user, separator, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except ValueError:  # not Base64, not ASCII, or not UTF-8 behind it
        return None
    return (user, password) if separator else None


def bearer_token(header: str) -> str | None:
    """The token of an Authorization header: `Bearer TOKEN`, or HTTP Basic with the token as password (browsers)."""
    kind, _, value = header.partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    credentials = basic_credentials(header)
    return credentials[1] if credentials else None


def check_token(header: str, tokens: Mapping[str, frozenset[Scope]], needed: Scope) -> None:
    """A token with the scope, or with `admin`. Every known token is compared, whichever fits.

    Raises:
        Unauthorized: missing or unknown.
        Forbidden: known, without the scope.
    """
    given = bearer_token(header)
    if not given:
        raise Unauthorized("a bearer token is missing: send Authorization: Bearer TOKEN")
    scopes: frozenset[Scope] = frozenset()
    for token, its_scopes in tokens.items():
        if hmac.compare_digest(_digest(token), _digest(given)):
            scopes = its_scopes
    if not scopes:
        raise Unauthorized("the token is not known here")
    if needed not in scopes and Scope.ADMIN not in scopes:
        raise Forbidden(f"the token lacks the scope {needed}")


def _check_age(timestamp: str, now: datetime) -> None:
    try:
        sent = datetime.fromtimestamp(int(timestamp) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise Unauthorized("the request's timestamp is not a time in milliseconds") from None
    if abs(now - sent) > REPLAY_WINDOW:
        raise Unauthorized("the request's timestamp lies more than five minutes away from now")


def _digest(text: str) -> bytes:
    # Equal lengths, so that a comparison tells nothing about the secret's length either.
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
