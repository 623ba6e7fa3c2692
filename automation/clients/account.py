"""What a CRM account says of its currency and locale: asked once an hour, and never again and again while it cannot be."""

import threading
import time
from collections.abc import Callable

from data.domain.money import Account, currency_of, locale_of
from data.errors import VendorError
from data.log import get_logger

GOOD_SECONDS = 3600.0  # an account hardly ever changes its currency
AGAIN_SECONDS = 300.0  # after a failure

log = get_logger("clients")


class AccountAsked:
    """Remembers what `ask` answers. A vendor that does not answer, or refuses, has told nothing. Safe in many threads."""

    def __init__(self, ask: Callable[[], Account]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._found: tuple[float, Account] | None = None

    def __call__(self) -> Account:
        with self._lock:
            found = self._found
        if found is None or time.monotonic() >= found[0]:
            found = self._asked()
            with self._lock:
                self._found = found
        return found[1]

    def _asked(self) -> tuple[float, Account]:
        try:
            return time.monotonic() + GOOD_SECONDS, self._ask()
        except VendorError as error:
            log.warning("clients.account.unknown", reason=error.detail)
            return time.monotonic() + AGAIN_SECONDS, Account()


def account_of(currency: object, locale: object = None) -> Account:
    """An account from what a vendor answers, which may be anything."""
    return Account(
        currency_of(currency if isinstance(currency, str) else None), locale_of(locale if isinstance(locale, str) else None)
    )
