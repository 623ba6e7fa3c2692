"""What providers know of a domain: each asked once in a long while, within its budget for the day, in the order of the settings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from automation.clients.company_data.base import CompanyData
from automation.pipeline.context import Loop
from data.domain.company_profile import CompanyProfile
from data.domain.enrichment import Problem
from data.errors import VendorError
from data.log import get_logger
from data.settings import Settings
from data.warehouse import company_data_use, company_profiles
from data.warehouse.company_profiles import Said

log = get_logger("company_data")

Memory = Mapping[tuple[str, str], Said]  # (domain, provider) -> what it said


@dataclass(frozen=True)
class Known:
    """What is known of a domain: its profile and since when, or nothing; `problem`: why there might be more."""

    profile: CompanyProfile | None = None
    at: datetime | None = None
    problem: Problem | None = None


def remembered(loop: Loop, domains: Iterable[str]) -> Memory:
    """What was said of these domains and is still good."""
    now, settings = loop.clock.now(), loop.settings
    with loop.database.read() as session:
        found = company_profiles.of_domains(session, domains)
    return {key: said for key, said in found.items() if now - said.at < _age(settings, said)}


def answered_by(loop: Loop, domain: str, memory: Memory) -> Known | None:
    """What memory alone answers; None where somebody has to be asked."""
    for provider in loop.clients.company_data:
        if (said := memory.get((domain, provider.name))) is None:
            return None
        if said.profile is not None:
            return Known(said.profile, said.at)
    return Known()


def look_up(loop: Loop, domain: str, memory: Memory) -> Known:
    """Asks the providers in their order until one knows the company. What each says is kept at once."""
    problem = None
    for provider in loop.clients.company_data:
        said = memory.get((domain, provider.name)) or _ask(loop, provider, domain)
        if isinstance(said, Problem):
            problem = problem or said
            continue
        if said.profile is not None:
            return Known(said.profile, said.at)
    return Known(problem=problem)


def _ask(loop: Loop, provider: CompanyData, domain: str) -> Said | Problem:
    if (rest := provider.rest_seconds()) > 0:
        return Problem(f"{provider.name} is left alone for {rest:.0f} s more", rest, counts=False)
    if (spent := _spend(loop, provider)) is not None:
        return spent
    try:
        said = Said(provider.company(domain), loop.clock.now())
    except VendorError as error:
        log.warning("company_data.provider.failed", provider=provider.name, reason=error.detail)
        return Problem.of(error)
    with loop.database.write() as session:
        company_profiles.put(session, domain, provider.name, said)
    return said


def _spend(loop: Loop, provider: CompanyData) -> Problem | None:
    """Counts the call before it is made: whoever dies over it has made it."""
    now = loop.clock.now()
    today = now.astimezone(UTC).date()
    with loop.database.write() as session:
        if company_data_use.spend(session, provider.name, today, provider.per_day):
            return None
        is_news = company_data_use.tell(session, provider.name, today)
    if is_news:
        log.warning("company_data.budget.spent", provider=provider.name, per_day=provider.per_day)
    midnight = datetime.combine(today + timedelta(days=1), time(), UTC)
    return Problem(
        f"{provider.name}: the day's budget of {provider.per_day} calls is spent", (midnight - now).total_seconds(), counts=False
    )


def _age(settings: Settings, said: Said) -> timedelta:
    return timedelta(days=settings.company_unknown_days if said.profile is None else settings.company_found_days)
