"""Loops that ask others about companies."""

from collections.abc import Callable
from typing import Any

import pytest

from automation.pipeline.context import Loop
from automation.sandbox.company_data import company
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from tests.conftest import LoopFactory
from tests.integration.enrichment.asking import STEEL

MakeLoop = Callable[..., Loop]


@pytest.fixture
def sandbox(standing: tuple[Sandbox, Addresses]) -> Sandbox:
    standing[0].clear()
    return standing[0]


@pytest.fixture
def addresses(standing: tuple[Sandbox, Addresses]) -> Addresses:
    return standing[1]


@pytest.fixture
def with_data(make_loop: LoopFactory, addresses: Addresses, sandbox: Sandbox) -> MakeLoop:
    """Loops that ask Hunter's stand-in, or both, about companies; no CRM is configured, events come as our own JSON."""
    sandbox.companies[STEEL] = company(STEEL)

    def make(*, both: bool = False, **settings: Any) -> Loop:
        keys = {"hunter_api_key": "company-data-key"} | ({"clearbit_api_key": "company-data-key"} if both else {})
        urls = {"hunter_base_url": addresses.hunter, "clearbit_base_url": addresses.clearbit}
        return make_loop(addresses, **{"enrich_seconds": 3, **keys, **urls, **settings})

    return make
