"""What an authenticator is handed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from data.settings import Settings


@dataclass(frozen=True)
class Inbound:
    """A request as it arrived. Header names in lower case."""

    method: str
    headers: Mapping[str, str]
    body: bytes


Authenticate = Callable[[Inbound, Settings, datetime], None]
