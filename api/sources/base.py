"""What an authenticator is handed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from api.security import UNKNOWN, Identity
from data.settings import Settings


@dataclass(frozen=True)
class Inbound:
    """A request as it arrived. Header names in lower case. `identity`: whom its bearer token belongs to, if it has one."""

    method: str
    headers: Mapping[str, str]
    body: bytes
    identity: Identity = UNKNOWN


Authenticate = Callable[[Inbound, Settings, datetime], None]
