"""Builds the clients of the vendors that are configured. Nothing is sent to a vendor that is not."""

from dataclasses import dataclass, field

from automation.clients.base import Crm
from automation.clients.hubspot import HubSpotClient
from automation.clients.pace import Pace
from automation.clients.pipedrive import PipedriveClient
from automation.clients.slack import SlackClient
from data.settings import Settings


@dataclass(frozen=True)
class Clients:
    """CRMs by source name, and Slack; what is not configured is not there."""

    crms: dict[str, Crm] = field(default_factory=dict)
    slack: SlackClient | None = None


def build_clients(settings: Settings, pace: Pace | None = None) -> Clients:
    """`pace` stands around every call; without it nothing does."""
    crms: dict[str, Crm] = {}
    if token := settings.hubspot_token.get_secret_value():
        crms["hubspot"] = HubSpotClient(
            token, settings.hubspot_base_url, pace=pace, calls_per_10_seconds=settings.hubspot_calls_per_10_seconds
        )
    if token := settings.pipedrive_api_token.get_secret_value():
        crms["pipedrive"] = PipedriveClient(
            token, settings.pipedrive_base_url, pace=pace, calls_per_2_seconds=settings.pipedrive_calls_per_2_seconds
        )
    token = settings.slack_token.get_secret_value()
    return Clients(crms, SlackClient(token, settings.slack_base_url, pace=pace) if token else None)
