"""How uvicorn serves the app: its limits, whose forwarded addresses it believes, and a time limit for a request's head."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from api.guard import MOST_HEADER_BYTES
from data.settings import Settings

# From the connection, or the end of the answer before, to the end of a request's headers; and for what is still sent after
# an answer. Uvicorn itself waits for ever, so a few hundred slow senders would keep everybody else out.
HEAD_SECONDS = 10.0
IDLE_SECONDS = 5
# Below the 1,024 open files that most systems give a process: who comes beyond is answered 503 and not left waiting.
MOST_CONNECTIONS = 800


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with an end to its patience."""

    head_seconds = HEAD_SECONDS
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._forget()

    def _watch(self) -> None:
        """Begins to wait where nothing is being answered; more of a head that does not end wins no more time."""
        if self._is_answering():
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.head_seconds, self._give_up)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _give_up(self) -> None:
        self._deadline = None
        if not self._is_answering():
            self.transport.close()

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def options_for(settings: Settings) -> dict[str, Any]:
    """What uvicorn is started with, by the command and by the tests alike."""
    return {
        "http": PatientProtocol,
        "ws": "none",
        "h11_max_incomplete_event_size": MOST_HEADER_BYTES,
        "limit_concurrency": MOST_CONNECTIONS,
        "timeout_keep_alive": IDLE_SECONDS,
        "forwarded_allow_ips": settings.trusted_proxies,
        "server_header": False,
        "log_config": None,
        "access_log": False,
    }
