"""Payloads into the database: those that come at the same time share one transaction, and one wait for the disk."""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from data.db import Database
from data.warehouse import payloads
from data.warehouse.payloads import Payload


class Intake:
    """Whoever finds nobody waiting writes, once those before are written, all that have come meanwhile."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writing, self._queue = threading.Lock(), threading.Lock()
        self._waiting: list[tuple[Payload, Future[int]]] = []
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="intake")

    def store(self, payload: Payload) -> int:
        """Returns the payload's row id once it is committed. Raises what the transaction raised, to each that was part of it."""
        stored, is_first = self._wait(payload)
        if is_first:
            self._write()
        return stored.result()

    async def store_async(self, payload: Payload) -> int:
        """`store` for an event loop: one thread for all that wait, and not one for each."""
        stored, is_first = self._wait(payload)
        if is_first:
            self._writer.submit(self._write)
        return await asyncio.wrap_future(stored)

    def _wait(self, payload: Payload) -> tuple[Future[int], bool]:
        stored: Future[int] = Future()
        with self._queue:
            self._waiting.append((payload, stored))
            return stored, len(self._waiting) == 1

    def _write(self) -> None:
        with self._writing:
            with self._queue:
                waiting, self._waiting = self._waiting, []
            # From here on nobody can leave: who has left is not told of anything, and nothing is stored for them.
            found = [(payload, stored) for payload, stored in waiting if stored.set_running_or_notify_cancel()]
            try:
                with self._database.write(first=True) as session:
                    numbers = payloads.add_all(session, [payload for payload, _ in found])
            except Exception as error:  # noqa: BLE001 told to everybody whose payload it was
                for _, stored in found:
                    stored.set_exception(error)
                return
        for (_, stored), number in zip(found, numbers, strict=True):
            stored.set_result(number)
