"""TABLE of sources: name -> parser of its payloads. `api/sources/registry.py` has the same names but for our own."""

from collections.abc import Callable

from automation.sources import generic, hubspot, ours, pipedrive
from automation.sources.base import Parsed

Parser = Callable[..., Parsed]

SOURCES: dict[str, Parser] = {
    hubspot.NAME: hubspot.parse,
    pipedrive.NAME: pipedrive.parse,
    generic.NAME: generic.parse,
    ours.NAME: ours.parse,
}
