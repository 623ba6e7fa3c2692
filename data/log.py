"""Structured logs: one JSON object a line, or coloured text on a terminal. Secrets never get in.

Twice: a value under a name that gives a secret away is replaced before the line is made, and the finished line, its
traceback and the lines of other libraries included, passes through `data.redaction`.

Event names read `room.thing.happened` (`collect.event.accepted`).
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

import structlog

from data.redaction import REDACTED, redacted

SECRET_WORDS = ("token", "secret", "password", "authorization", "signature", "api_key", "cookie")
# What moves a terminal's cursor, ends a line or turns the direction of writing: a path may hold it, a log must not.
STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
TRACEBACKS = frozenset({"exception", "stack"})  # of many lines

get_logger = structlog.get_logger


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replaces the value of every key that names a secret, at any depth."""
    return {key: _clean(key, value) for key, value in event.items()}


def configure(*, json: bool, level: str = "INFO") -> None:
    """Sets up structlog and the standard library's loggers alike. Called once, by a command."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    renderers: list[Any] = [structlog.processors.JSONRenderer()] if json else [_harmless, structlog.dev.ConsoleRenderer()]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = _Handler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                *renderers,
                _without_secrets,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # These libraries log one line per job run or per HTTP call, which would drown ours.
    for noisy in ("httpx", "httpcore", "alembic", "urllib3", "hubspot", "slack_sdk"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It warns of every job that still runs when its next turn comes: that turn is left out, as it should be.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


class _Handler(logging.StreamHandler[Any]):
    """The library would print what it could not write, as it is."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 the library's name
        with suppress(ValueError, OSError):  # the stream itself is gone
            self.stream.write(f"a log line of {record.name} could not be written: {sys.exc_info()[0]}\n")


def _without_secrets(_logger: Any, _method: str, line: Any) -> str:
    return redacted(str(line))


def _harmless(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For a terminal, which is shown texts as they are: what steers one is written out. JSON escapes it by itself."""
    return {key: _escaped(value, kept="\n" if key in TRACEBACKS else "") for key, value in event.items()}


def _escaped(value: Any, *, kept: str) -> Any:
    if not isinstance(value, str):
        return value
    return STEERING.sub(lambda found: found[0] if found[0] in kept else found[0].encode("unicode_escape").decode(), value)


def _clean(key: str, value: Any) -> Any:
    if any(word in key.lower() for word in SECRET_WORDS):
        return REDACTED
    if isinstance(value, dict):
        return {inner: _clean(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", item) for item in value]
    return value
