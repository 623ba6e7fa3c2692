"""What an enrichment asks of a provider of company data, whichever it is, and how one is asked over HTTP."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx

from automation.clients.base import retry_after
from data.domain.company_profile import CompanyProfile
from data.errors import Permanent, Retryable, VendorError
from data.tls import shared_context

LARGEST_ANSWER_BYTES = 256 * 1024  # a company is told in some 5 kB
# How long nobody is asked who said that it was too much, that the account's credits are used up, or that the key is wrong.
REST_SECONDS = 60.0
LONGEST_REST_SECONDS = 24 * 3600.0
RESTS = frozenset({401, 402, 403, 429})
UNKNOWN = frozenset({404, 422, 451})  # no such company, no such domain, or one of whom nothing may be said
ACCEPTED = 202


class CompanyData(Protocol):
    """A provider of company data."""

    @property
    def name(self) -> str: ...

    @property
    def per_day(self) -> int:
        """How often it may be asked on one day, by all processes together."""

    def rest_seconds(self) -> float:
        """How long it is not to be asked yet; 0 where it may be."""

    def company(self, domain: str) -> CompanyProfile | None:
        """What is known of the company; None where nothing is. Raises Retryable or Permanent."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Asker:
    """Asks one provider over HTTP. After a refusal it rests, as long as it was told to."""

    def __init__(self, name: str, base_url: str, headers: Mapping[str, str], timeout_seconds: float) -> None:
        self._name = name
        self._seconds = timeout_seconds
        self._http = httpx.Client(
            base_url=base_url.rstrip("/"), headers=dict(headers), timeout=timeout_seconds, trust_env=False, follow_redirects=False,
            verify=shared_context(),
        )  # fmt: skip
        self._rests_until = 0.0

    def rest_seconds(self) -> float:
        return max(0.0, self._rests_until - time.monotonic())

    def get(self, path: str, **params: str) -> bytes | None:
        """The body of an answer that has one; None where nothing is known. Raises Retryable or Permanent."""
        answer = self._answer(path, params)
        if answer.status == httpx.codes.OK:
            return answer.body
        if answer.status in UNKNOWN:
            return None
        raise self._refusal(answer)

    def _refusal(self, answer: Answer) -> VendorError:
        if answer.status == ACCEPTED:
            return Retryable(f"{self._name} is still looking (202); it is asked again")
        detail = f"{self._name} answered {answer.status}"
        if answer.status in RESTS:
            wait = _wait_of(answer.headers)
            self._rests_until = time.monotonic() + wait
            return Retryable(detail, retry_after_seconds=wait)
        if answer.status >= 500:
            return Retryable(detail, retry_after_seconds=retry_after(answer.headers.get("retry-after")))
        return Permanent(detail)

    def _answer(self, path: str, params: Mapping[str, str]) -> Answer:
        """Read up to a size and within a time: httpx's own time-out begins anew with each piece."""
        ends_at = time.monotonic() + self._seconds
        try:
            with self._http.stream("GET", path, params=dict(params)) as answer:
                body = b""
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > LARGEST_ANSWER_BYTES:
                        raise Retryable(f"{self._name} answered with more than {LARGEST_ANSWER_BYTES // 1024} kB")
                    if time.monotonic() > ends_at:
                        raise Retryable(f"{self._name} did not end its answer within {self._seconds:g} s")
                return Answer(answer.status_code, answer.headers, body)
        except httpx.HTTPError as error:
            raise Retryable(f"{self._name} cannot be reached: {type(error).__name__}") from None


def _wait_of(headers: Mapping[str, str]) -> float:
    """Retry-After, or the moment of X-RateLimit-Reset (seconds since 1970)."""
    wait = retry_after(headers.get("retry-after"))
    reset = headers.get("x-ratelimit-reset", "")
    if wait is None and reset.isascii() and reset.isdigit():
        wait = float(reset) - time.time()
    return min(max(wait if wait is not None else REST_SECONDS, 1.0), LONGEST_REST_SECONDS)
