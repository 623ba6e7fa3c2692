"""Signs as the vendors sign. Written from their documentation, apart from the code that verifies."""

from base64 import b64encode
from hashlib import sha256

BLOCK_BYTES = 64  # of SHA-256, as RFC 2104 needs it


def hubspot_v3(secret: str, method: str, uri: str, body: bytes, timestamp_ms: int) -> str:
    """X-HubSpot-Signature-v3."""
    source = b"".join((method.encode(), uri.encode(), body, str(timestamp_ms).encode()))
    return b64encode(_hmac_sha256(secret.encode(), source)).decode("ascii")


def basic(user: str, password: str) -> str:
    """An Authorization header as Pipedrive sends it."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")


def _hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104 spelled out, so that a mistake in our use of the standard library's hmac could not hide here too."""
    key = (sha256(key).digest() if len(key) > BLOCK_BYTES else key).ljust(BLOCK_BYTES, b"\x00")
    inner = sha256(bytes(byte ^ 0x36 for byte in key) + message).digest()
    return sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()
