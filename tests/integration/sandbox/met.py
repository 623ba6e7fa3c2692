"""What a test of a habit meets."""

from dataclasses import dataclass

import httpx
from hubspot import HubSpot
from slack_sdk import WebClient

from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from tests.support import FakeClock


@dataclass
class Met:
    """What a test of a habit may use."""

    box: Sandbox
    places: Addresses
    clock: FakeClock
    hubspot: HubSpot
    slack: WebClient
    http: httpx.Client

    def ask(self) -> httpx.Response:
        """A harmless call of HubSpot's."""
        return self.http.get(f"{self.places.hubspot}/crm/v3/owners")

    def write(self) -> httpx.Response:
        body = {"inputs": [{"id": "1", "properties": {"email": "new@example.com"}}, {"id": "2", "properties": {"email": "x@y.z"}}]}
        return self.http.post(f"{self.places.hubspot}/crm/v3/objects/contacts/batch/update", json=body)

    def email(self) -> str:
        record = self.box.get("hubspot", "contacts", "1")
        assert record is not None
        return str(record.properties["email"])
