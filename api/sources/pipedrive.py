"""Pipedrive does not sign; its webhooks carry HTTP Basic credentials of our choice."""

from datetime import datetime

from api.security import check_basic
from api.sources.base import Inbound
from data.errors import Unauthorized
from data.settings import Settings


def authenticate(request: Inbound, settings: Settings, now: datetime) -> None:
    """Raises Unauthorized."""
    user, password = settings.pipedrive_webhook_user, settings.pipedrive_webhook_password.get_secret_value()
    if not user or not password:
        raise Unauthorized("Pipedrive is not connected: LEADLOOP_PIPEDRIVE_WEBHOOK_USER and _PASSWORD are not set")
    check_basic(request.headers.get("authorization", ""), user=user, password=password)
