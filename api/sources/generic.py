"""The generic source: a bearer token with the scope `collect`."""

from datetime import datetime

from api.security import check_token
from api.sources.base import Inbound
from data.settings import Scope, Settings


def authenticate(request: Inbound, settings: Settings, now: datetime) -> None:
    """Raises Unauthorized or Forbidden."""
    check_token(request.headers.get("authorization", ""), settings.tokens, Scope.COLLECT)
