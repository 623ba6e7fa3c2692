"""HubSpot's SDK as it is called here: no retries of its own, its errors become ours, and what the headers say is kept."""

import threading
from collections.abc import Callable
from typing import Any

import urllib3
from hubspot import HubSpot
from hubspot.crm import companies, contacts, deals, objects, owners, pipelines, properties
from hubspot.crm.associations import v4 as associations
from hubspot.discovery.discovery_base import DiscoveryBase

from automation.clients.base import retry_after
from automation.clients.limit_headers import Headers, hubspot_window, wait_of_refusal
from data.errors import Permanent, Retryable, VendorError
from data.redaction import shortened

ERRORS: tuple[type[Exception], ...] = (
    contacts.exceptions.ApiException,
    companies.exceptions.ApiException,
    deals.exceptions.ApiException,
    properties.exceptions.ApiException,
    owners.exceptions.ApiException,
    pipelines.exceptions.ApiException,
    objects.exceptions.ApiException,
    associations.exceptions.ApiException,
)


class SdkCalls(threading.local):
    """The calls of one thread. `headers`: those of the last answer, which the SDK drops where the call went well."""

    def __init__(self) -> None:
        self.headers: Headers = {}

    def sdk(self, access_token: str, host: str) -> HubSpot:
        # No retries inside the SDK: the outbox retries, and it knows when.
        return HubSpot(access_token=access_token, host=host, retry=urllib3.Retry(total=0), api_factory=self._listening)

    def answer(self, call: Callable[[], Any], passable: int | None) -> Any:
        """What a call of the SDK answers; None for the status that is as good. Raises Retryable or Permanent."""
        self.headers = {}
        try:
            return call()
        except ERRORS as error:
            if error.status == passable:  # type: ignore[attr-defined]
                return None
            raise _vendor_error(error) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Retryable(f"HubSpot cannot be reached: {type(error).__name__}", unsure=True) from None

    def _listening(self, package: Any, name: str, config: dict[str, Any]) -> Any:
        """One of the SDK's APIs as it makes them itself, but that the headers of its answers are kept, which it drops."""
        api = DiscoveryBase._default_api_factory(package, name, config)  # noqa: SLF001 as the SDK would
        ask = api.api_client.request

        def request(*args: Any, **kwargs: Any) -> Any:
            try:
                answer = ask(*args, **kwargs)
            except ERRORS as error:
                self.headers = _headers(error)
                raise
            self.headers = getattr(answer, "urllib3_response", answer).headers
            return answer

        api.api_client.request = request
        return api


def _headers(error: Any) -> Headers:
    return error.headers or {}


def _vendor_error(error: Any) -> VendorError:
    detail = f"HubSpot answered {error.status}: {shortened(str(error.body), 300)}"
    # 401: a token that is being changed; 423 and 477: the account is locked, or moves, for hours. None is the row's fault.
    if error.status in (401, 423, 429, 477) or error.status >= 500:
        headers = _headers(error)
        if error.status == 429:
            return Retryable(detail, retry_after_seconds=wait_of_refusal(headers, hubspot_window(headers)), limited=True)
        return Retryable(detail, retry_after_seconds=retry_after(headers.get("Retry-After")))
    return Permanent(detail, content=error.status == 400)
