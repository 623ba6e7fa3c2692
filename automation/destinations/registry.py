"""TABLE of destinations: name -> destination."""

from automation.destinations import crm, slack
from automation.destinations.base import Destination

DESTINATIONS: dict[str, Destination] = {destination.name: destination for destination in (crm.HUBSPOT, crm.PIPEDRIVE, slack.SLACK)}
