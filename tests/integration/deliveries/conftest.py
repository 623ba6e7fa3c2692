"""A loop that writes back and alerts."""

import pytest

from automation.pipeline.context import Loop
from automation.record_fields import FIELDS
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from tests.conftest import LoopFactory


@pytest.fixture
def loop(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> Loop:
    """Here the loop has HubSpot and Slack."""
    for name, *_ in FIELDS:
        sandbox.define_hubspot_property("contacts", name)
    return make_loop(addresses)
