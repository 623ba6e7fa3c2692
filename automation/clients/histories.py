"""TABLE of the CRMs whose past can be read."""

from collections.abc import Callable, Mapping

from automation.clients.history import History, Patience
from automation.clients.hubspot import HubSpotClient
from automation.clients.hubspot_history import HubSpotHistory
from automation.clients.pipedrive import PipedriveClient
from automation.clients.pipedrive_history import PipedriveHistory
from automation.clients.registry import Clients
from data.errors import NotConfigured, NotFound
from data.settings import Settings


def _hubspot(clients: Clients, settings: Settings, patience: Patience) -> History:
    client = clients.crms["hubspot"]
    assert isinstance(client, HubSpotClient)
    return HubSpotHistory(client, settings.hubspot_app_id, patience)


def _pipedrive(clients: Clients, settings: Settings, patience: Patience) -> History:
    client = clients.crms["pipedrive"]
    assert isinstance(client, PipedriveClient)
    return PipedriveHistory(client, patience)


HISTORIES: Mapping[str, tuple[str, Callable[[Clients, Settings, Patience], History]]] = {
    "hubspot": ("LEADLOOP_HUBSPOT_TOKEN", _hubspot),
    "pipedrive": ("LEADLOOP_PIPEDRIVE_API_TOKEN", _pipedrive),
}


def history_of(source: str, clients: Clients, settings: Settings, patience: Patience) -> History:
    """The past of a CRM that is connected.

    Raises:
        NotFound: there is none of that name. NotConfigured: it is not connected.
    """
    if source not in HISTORIES:
        raise NotFound(f"no CRM {source[:80]!r}: the past can be read of {', '.join(HISTORIES)}")
    setting, build = HISTORIES[source]
    if source not in clients.crms:
        raise NotConfigured(f"{setting} is not set: docs/operations.md says how to connect it")
    return build(clients, settings, patience)
