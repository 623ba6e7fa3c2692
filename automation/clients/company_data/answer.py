"""A company as Clearbit tells of it, and Hunter after it. What is no such answer is rubbish, and none of it is kept.

Shapes: https://dashboard.clearbit.com/docs#enrichment-api-company-api, https://hunter.io/api-documentation/v2#company-enrichment
"""

import json
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from data.column_types import unstorable
from data.domain.company_profile import CompanyProfile, middle_of
from data.errors import Retryable


def _number(value: Any) -> Any:
    """Hunter tells employees as a range (11-50), Clearbit as a number with a range beside it; revenue is "$10M-$50M"."""
    return round(middle_of(value)) if isinstance(value, str) and value.strip() else value or None


def _country(value: Any) -> Any:
    return value.strip().upper() or None if isinstance(value, str) else value


Size = Annotated[float | None, BeforeValidator(_number)]
Words = Annotated[str, StringConstraints(strip_whitespace=True)] | None


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", alias_generator=to_camel)


class _Category(_Part):
    industry: Words = None
    sector: Words = None


class _Geo(_Part):
    country_code: Annotated[str | None, BeforeValidator(_country)] = None


class _Metrics(_Part):
    employees: Size = None
    employees_range: Size = None
    annual_revenue: Size = None
    estimated_annual_revenue: Size = None
    raised: Size = None


class _Company(_Part):
    domain: str
    domain_aliases: list[str] | None = None
    type: Words = None
    founded_year: int | None = None
    category: _Category | None = None
    geo: _Geo | None = None
    metrics: _Metrics | None = None
    tech: list[Any] | None = None


def profile_of(provider: str, asked: str, body: bytes, *, inside: str | None = None) -> CompanyProfile | None:
    """The profile that an answer tells; None where it tells nothing. `inside`: the field that holds the company.

    Raises:
        Retryable: it is no JSON, no company, or another one than was asked about.
    """
    try:
        told = json.loads(body, parse_constant=_no_constant)
        company = _Company.model_validate(told[inside] if inside else told)
        profile = _profile(company)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "it"
        raise Retryable(f"{provider} answered with no company that could be used: {where}: {problem['msg']}") from None
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise Retryable(f"{provider} answered with no company: {type(error).__name__}") from None
    if not _is_about(company, asked):
        raise Retryable(f"{provider} answered about another domain than was asked")
    return None if profile.is_empty else profile


def _profile(company: _Company) -> CompanyProfile:
    category, metrics = company.category or _Category(), company.metrics or _Metrics()
    found = CompanyProfile(
        industry=category.industry or None,
        sector=category.sector or None,
        type=company.type or None,
        employees=metrics.employees or metrics.employees_range,
        annual_revenue=metrics.annual_revenue or metrics.estimated_annual_revenue,
        raised=metrics.raised,
        country=(company.geo or _Geo()).country_code,
        founded=company.founded_year,
        technologies=None if company.tech is None else len(company.tech),
    )
    if (reason := unstorable(found.model_dump())) is not None:
        raise ValueError(reason)
    return found


def _is_about(company: _Company, asked: str) -> bool:
    """A company has other domains too, and hosts of its own within each."""
    theirs = {name.strip().lower().removeprefix("www.") for name in (company.domain, *(company.domain_aliases or ()))}
    return any(name and (asked == name or asked.endswith(f".{name}")) for name in theirs)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
