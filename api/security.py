"""Signatures, tokens and the replay window: pure functions over bytes, in constant time where secrets are compared."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from automation.access import Caller
from data.errors import Forbidden, LeadloopError, Unauthorized
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


def token_of(header: bytes) -> bytes | None:
    """The token of an Authorization header: `Bearer TOKEN`, or HTTP Basic with the token as password (browsers)."""
    kind, _, value = header.partition(b" ")
    if kind.lower() == b"bearer":
        return value.strip() or None
    credentials = basic_credentials(header.decode("latin-1"))
    return (credentials[1].encode() or None) if credentials else None


@dataclass(frozen=True)
class Identity:
    """Whom a request's token belongs to, or why that is not known: none was given, it is no good, or nobody could be asked."""

    caller: Caller | None = None
    given: bool = False
    error: LeadloopError | None = None

    def need(self, scope: Scope) -> Caller:
        """The caller, if the token may do this. What was revoked, has expired or never was is told alike.

        Raises:
            Unauthorized: none was given, or it is no good.
            Forbidden: it is good, without the scope.
            NotReady, TooMany: it could not be found out.
        """
        if self.error is not None:
            raise self.error
        if not self.given:
            raise Unauthorized("a bearer token is missing: send Authorization: Bearer TOKEN")
        if self.caller is None:
            raise Unauthorized("the token is not known here, or no longer good")
        if not self.caller.may(scope):
            raise Forbidden(f"the token lacks the scope {scope}")
        return self.caller


UNKNOWN = Identity()


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
