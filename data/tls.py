"""One TLS context for all of a process's clients: reading the authorities' certificates takes longer than most calls."""

import ssl
from functools import cache

import httpx


@cache
def shared_context() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
