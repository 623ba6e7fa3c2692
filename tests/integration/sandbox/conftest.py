"""One server for all tests of the stand-ins; each test has a sandbox of its own behind it, whose clock stands still."""

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from hubspot import HubSpot
from slack_sdk import WebClient
from starlette.types import ASGIApp, Receive, Scope, Send

from automation.sandbox.server import Addresses, build_app, serving
from automation.sandbox.state import Sandbox
from tests.support import FakeClock


class Behind:
    """Hands every request to the app of the moment."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Behind, Addresses]]:
    behind = Behind()
    with serving(behind, tmp_path_factory.mktemp("stand-ins")) as addresses:
        yield behind, addresses


@pytest.fixture
def box(grounds: tuple[Behind, Addresses], clock: FakeClock) -> Sandbox:
    made = Sandbox(hubspot_token="h", pipedrive_token="p", slack_token="s", channels=("sales", "other"), now=clock.now)
    grounds[0].app = build_app(made)
    return made


@pytest.fixture
def places(grounds: tuple[Behind, Addresses], box: Sandbox) -> Addresses:
    return grounds[1]


@pytest.fixture
def hubspot(places: Addresses) -> HubSpot:
    """The official SDK, unchanged. What it reads it checks against its own models: a field that is missing is an error."""
    client = HubSpot(access_token="h", host=places.hubspot, retry=urllib3.Retry(total=0))
    return Strict(client)  # type: ignore[return-value]


@pytest.fixture
def slack(places: Addresses) -> WebClient:
    return WebClient("s", base_url=places.slack, retry_handlers=[])


class Strict:
    """Switches the SDK's own validation on in every API that is reached through it."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if hasattr(found, "api_client"):
            found.api_client.configuration.client_side_validation = True
            return found
        return found if callable(found) else Strict(found)
