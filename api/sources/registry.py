"""TABLE of senders: name -> how it proves who it is. `automation/sources/registry.py` has the same names."""

from api.sources import generic, hubspot, pipedrive
from api.sources.base import Authenticate

AUTHENTICATORS: dict[str, Authenticate] = {
    "hubspot": hubspot.authenticate,
    "pipedrive": pipedrive.authenticate,
    "generic": generic.authenticate,
}
