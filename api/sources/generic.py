"""The generic source: a bearer token with the scope `collect`."""

from datetime import datetime

from api.sources.base import Inbound
from data.settings import Scope, Settings


def authenticate(request: Inbound, settings: Settings, now: datetime) -> None:
    """Raises Unauthorized or Forbidden; NotReady or TooMany where it cannot be found out now."""
    request.identity.need(Scope.COLLECT)
