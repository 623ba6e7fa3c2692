"""Addresses in settings: whether they are any, and the passwords in them."""

import ipaddress
from urllib.parse import unquote, urlsplit


def database_address(url: str) -> str:
    """The address of a database, as it is. Refused here, where nothing of it is told: who opened it would say what it could not
    read, a piece of the password.

    Raises: ValueError.
    """
    from sqlalchemy import make_url  # here, since `--help` should not wait for it
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("is no database address; in a password write @ as %40, / as %2F, : as %3A") from None
    return url


def networks(text: str) -> str:
    """Addresses and networks between commas, or `*`, as they are.

    Raises: ValueError, which names what does not fit.
    """
    for part in filter(None, (part.strip() for part in text.split(","))):
        if part != "*":
            ipaddress.ip_network(part)
    return text


def passwords(url: str) -> set[str]:
    """The password of an address as it is written there and as it is meant."""
    written = urlsplit(url).netloc.rpartition("@")[0].partition(":")[2]
    return {written, unquote(written)} - {""}
