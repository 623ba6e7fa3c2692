"""What every command starts with."""

from collections.abc import Iterator
from contextlib import contextmanager

from data import log
from data.errors import BadInput, LeadloopError
from data.settings import Settings, load_settings

OWN_EYES = 0o600  # of a file with personal data


class Usage(LeadloopError):
    """The command was not understood."""


@contextmanager
def wrong_is_usage(error: type[LeadloopError] = BadInput) -> Iterator[None]:
    """For where only an argument can be wrong."""
    try:
        yield
    except error as found:
        raise Usage(found.detail, field=found.field) from found


def settings_for_command(*, logs: bool = False) -> Settings:
    """The settings; what the command is not about is logged from warnings on only, and for a reader, not as JSON."""
    settings = load_settings()
    log.configure(json=settings.log_json and logs, level=settings.log_level if logs else "WARNING")
    return settings
