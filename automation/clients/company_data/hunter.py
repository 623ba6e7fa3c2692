"""Hunter: company enrichment by domain. https://hunter.io/api-documentation/v2#company-enrichment

403 is its rate (15 a second, 500 a minute), 429 the end of the account's credits. The key goes in a header: addresses are logged.
"""

from dataclasses import dataclass

from automation.clients.company_data.answer import profile_of
from automation.clients.company_data.base import Asker
from data.domain.company_profile import CompanyProfile


@dataclass(frozen=True)
class Hunter:
    """Implements `automation.clients.company_data.base.CompanyData`."""

    asker: Asker
    per_day: int
    name: str = "hunter"

    @classmethod
    def build(cls, key: str, base_url: str, timeout_seconds: float, per_day: int) -> "Hunter":
        return cls(Asker(cls.name, base_url, {"X-API-KEY": key}, timeout_seconds), per_day)

    def rest_seconds(self) -> float:
        return self.asker.rest_seconds()

    def company(self, domain: str) -> CompanyProfile | None:
        body = self.asker.get("/v2/companies/find", domain=domain)
        return None if body is None else profile_of(self.name, domain, body, inside="data")
