"""What every command starts with."""

from data import log
from data.errors import LeadloopError
from data.settings import Settings, load_settings


class Usage(LeadloopError):
    """The command was not understood."""


def settings_for_command(*, logs: bool = False) -> Settings:
    """The settings; what the command is not about is logged from warnings on only, and for a reader, not as JSON."""
    settings = load_settings()
    log.configure(json=settings.log_json and logs, level=settings.log_level if logs else "WARNING")
    return settings
