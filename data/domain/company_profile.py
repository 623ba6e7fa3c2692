"""What others know of a company: a few plain properties, and the names under which they become facts.

No CRM has names like these (HubSpot allows no colon, Pipedrive's are keys), so they never stand in the place of what a CRM says.
"""

import math
import re

from pydantic import BaseModel, ConfigDict, Field

PROFILE = "profile:"
# A contact's own, where its company is not known here: as a column the same as its company's would be.
OF_CONTACT = "company_"

# The oldest company that there is was founded in 578; no date to come is true.
EARLIEST_YEAR, LATEST_YEAR = 578, 2100
MOST_EMPLOYEES = 1e8
MOST_REVENUE = 1e13
MOST_LETTERS = 120

NUMBER = re.compile(r"([0-9][0-9,]*(?:\.[0-9]+)?)\s*([kmb]?)", re.IGNORECASE)
TIMES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}


class CompanyProfile(BaseModel):
    """`annual_revenue` is in US dollars, `country` an ISO 3166 code of two letters, `technologies` how many it is seen to use."""

    model_config = ConfigDict(frozen=True)

    industry: str | None = Field(None, max_length=MOST_LETTERS)
    sector: str | None = Field(None, max_length=MOST_LETTERS)
    type: str | None = Field(None, max_length=MOST_LETTERS)
    employees: float | None = Field(None, ge=0, le=MOST_EMPLOYEES)
    annual_revenue: float | None = Field(None, ge=0, le=MOST_REVENUE)
    raised: float | None = Field(None, ge=0, le=MOST_REVENUE)
    country: str | None = Field(None, pattern="^[A-Z]{2}$")
    founded: int | None = Field(None, ge=EARLIEST_YEAR, le=LATEST_YEAR)
    technologies: int | None = Field(None, ge=0, le=10_000)

    @property
    def is_empty(self) -> bool:
        return not any(self.model_dump().values())

    def as_properties(self, *, of_contact: bool) -> dict[str, object]:
        """Under the names that the facts have: a company's own, or its contact's."""
        return {profile_name(name, of_contact=of_contact): _plain(value) for name, value in self.model_dump().items()}


def _plain(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def profile_name(name: str, *, of_contact: bool) -> str:
    """
    >>> profile_name("industry", of_contact=False), profile_name("industry", of_contact=True)
    ('profile:industry', 'company_profile:industry')
    """
    return f"{OF_CONTACT if of_contact else ''}{PROFILE}{name}"


def is_profile_name(name: str) -> bool:
    """Whether a property by this name is ours to tell: whoever else tells it is not believed."""
    return name.startswith((PROFILE, OF_CONTACT + PROFILE))


PROFILE_NAMES = frozenset(
    profile_name(name, of_contact=of_contact) for name in CompanyProfile.model_fields for of_contact in (False, True)
)


def middle_of(text: str) -> float:
    """The number that a text names, or the middle of its range: the geometric one, for sizes go in powers of ten.

    An open end counts as its beginning.

    >>> [round(middle_of(text)) for text in ("25", "11-50", "1K-5K", "10,001+", "$10M-$50M", "$0-$1M")]
    [25, 23, 2236, 10001, 22360680, 1000]

    Raises:
        ValueError: it names none.
    """
    found = [float(digits.replace(",", "")) * TIMES[unit.lower()] for digits, unit in NUMBER.findall(text)]
    if not 1 <= len(found) <= 2:
        raise ValueError(f"no number and no range: {text[:40]!r}")
    return found[0] if len(found) == 1 else math.sqrt(max(found[0], 1.0) * max(found[1], 1.0))
