"""HubSpot signs its webhooks (v3) over the address that it called, which is n8n's where n8n stands in front."""

from datetime import datetime

from api.security import check_hubspot_v3
from api.sources.base import Inbound
from automation.webhooks import hubspot_address
from data.errors import Unauthorized
from data.settings import Settings


def authenticate(request: Inbound, settings: Settings, now: datetime) -> None:
    """Raises Unauthorized."""
    secret = settings.hubspot_client_secret.get_secret_value()
    if not secret:
        raise Unauthorized("HubSpot is not connected: LEADLOOP_HUBSPOT_CLIENT_SECRET is not set")
    check_hubspot_v3(
        secret=secret,
        method=request.method,
        uri=hubspot_address(settings),
        body=request.body,
        timestamp=request.headers.get("x-hubspot-request-timestamp", ""),
        signature=request.headers.get("x-hubspot-signature-v3", ""),
        now=now,
    )
