"""Clearbit's company API, and those that speak as it does. https://dashboard.clearbit.com/docs#enrichment-api-company-api

202 says that it is still looking: it is asked again some minutes later. 600 calls a minute; a refusal says in X-RateLimit-Reset
until when, and has no Retry-After.
"""

from dataclasses import dataclass

from automation.clients.company_data.answer import profile_of
from automation.clients.company_data.base import Asker
from data.domain.company_profile import CompanyProfile


@dataclass(frozen=True)
class Clearbit:
    """Implements `automation.clients.company_data.base.CompanyData`."""

    asker: Asker
    per_day: int
    name: str = "clearbit"

    @classmethod
    def build(cls, key: str, base_url: str, timeout_seconds: float, per_day: int) -> "Clearbit":
        return cls(Asker(cls.name, base_url, {"Authorization": f"Bearer {key}"}, timeout_seconds), per_day)

    def rest_seconds(self) -> float:
        return self.asker.rest_seconds()

    def company(self, domain: str) -> CompanyProfile | None:
        body = self.asker.get("/v2/companies/find", domain=domain)
        return None if body is None else profile_of(self.name, domain, body)
