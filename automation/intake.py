"""Payloads into the database: those that come at the same time share one transaction, and one wait for the disk."""

import threading
from dataclasses import dataclass

from data.db import Database
from data.warehouse import payloads
from data.warehouse.payloads import Payload


@dataclass
class _Waiting:
    payload: Payload
    is_over: bool = False
    error: Exception | None = None


class Intake:
    """Whoever comes while others are being written waits, and writes all that have come meanwhile."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writing, self._queue = threading.Lock(), threading.Lock()
        self._waiting: list[_Waiting] = []

    def store(self, payload: Payload) -> int:
        """Returns the payload's row id once it is committed. Raises what the transaction raised, to each that was part of it."""
        mine = _Waiting(payload)
        with self._queue:
            self._waiting.append(mine)
        with self._writing:
            if not mine.is_over:  # nobody before has taken it along
                self._write()
        if mine.error is not None:
            raise mine.error
        assert payload.id is not None
        return payload.id

    def _write(self) -> None:
        with self._queue:
            found, self._waiting = self._waiting, []
        try:
            with self._database.write() as session:
                payloads.add_all(session, [each.payload for each in found])
        except Exception as error:  # noqa: BLE001 told to everybody whose payload it was
            for each in found:
                each.error = error
        finally:
            for each in found:
                each.is_over = True
