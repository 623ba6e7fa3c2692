"""TABLE of providers of company data: name -> how one is built, its settings HUNTER_..., CLEARBIT_..."""

from collections.abc import Callable

from automation.clients.company_data.base import CompanyData
from automation.clients.company_data.clearbit import Clearbit
from automation.clients.company_data.hunter import Hunter
from data.errors import NotConfigured
from data.settings import Settings

Build = Callable[[str, str, float, int], CompanyData]  # key, base URL, time-out in seconds, calls a day

PROVIDERS: dict[str, Build] = {"hunter": Hunter.build, "clearbit": Clearbit.build}


def build_company_data(settings: Settings) -> tuple[CompanyData, ...]:
    """Those that have a key, in the order in which they are asked.

    Raises:
        NotConfigured: the order names one that there is not.
    """
    order = [name.strip() for name in settings.company_data_order.split(",") if name.strip()]
    if strangers := sorted(set(order) - PROVIDERS.keys()):
        raise NotConfigured(f"LEADLOOP_COMPANY_DATA_ORDER: there is no {strangers[0]!r}; there are {', '.join(PROVIDERS)}")
    found = (_build(name, settings) for name in dict.fromkeys(order))
    return tuple(provider for provider in found if provider is not None)


def _build(name: str, settings: Settings) -> CompanyData | None:
    key = getattr(settings, f"{name}_api_key").get_secret_value()
    if not key:
        return None
    url, per_day = getattr(settings, f"{name}_base_url"), getattr(settings, f"{name}_per_day")
    return PROVIDERS[name](key, url, settings.company_data_timeout_seconds, per_day)
