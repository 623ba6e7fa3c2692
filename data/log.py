"""Structured logs: one JSON object a line, or coloured text on a terminal. Secrets never get in.

Event names read `room.thing.happened` (`collect.event.accepted`).
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET_WORDS = ("token", "secret", "password", "authorization", "signature", "api_key", "cookie")
REDACTED = "[redacted]"

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
    renderer = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # These libraries log one line per job run or per HTTP call, which would drown ours.
    for noisy in ("apscheduler", "httpx", "httpcore", "alembic", "urllib3", "hubspot", "slack_sdk"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _clean(key: str, value: Any) -> Any:
    if any(word in key.lower() for word in SECRET_WORDS):
        return REDACTED
    if isinstance(value, dict):
        return {inner: _clean(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", item) for item in value]
    return value
