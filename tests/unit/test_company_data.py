"""Company data: domains, answers and their rubbish, and each provider against its stand-in."""

import json
from typing import Any

import pytest

from automation.clients.company_data.answer import profile_of
from automation.clients.company_data.base import CompanyData
from automation.clients.company_data.clearbit import Clearbit
from automation.clients.company_data.hunter import Hunter
from automation.clients.company_data.registry import PROVIDERS, build_company_data
from automation.sandbox.company_data import EVERY, Habit, company
from automation.sandbox.server import Addresses
from automation.sandbox.state import Sandbox
from data.domain.company_profile import PROFILE_NAMES, CompanyProfile, is_profile_name
from data.domain.free_mail import FREE_MAIL
from data.domain.web_domain import of_address, of_site
from data.errors import NotConfigured, Permanent, Retryable
from tests.support import settings_for

KEY = "company-data-key"
STEEL = "steel.example"
EXACT = CompanyProfile(
    industry="Machinery", sector="Industrials", type="private", employees=150, annual_revenue=22_360_680, country="DE",
    founded=1986, technologies=3,
)  # fmt: skip
RANGED = EXACT.model_copy(update={"employees": 113})


@pytest.fixture
def sandbox(standing: tuple[Sandbox, Addresses]) -> Sandbox:
    standing[0].clear()
    return standing[0]


@pytest.fixture
def addresses(standing: tuple[Sandbox, Addresses]) -> Addresses:
    return standing[1]


def provider(name: str, addresses: Addresses, *, key: str = KEY, seconds: float = 3) -> CompanyData:
    return PROVIDERS[name](key, getattr(addresses, name), seconds, 100)


EACH = pytest.mark.parametrize("name", PROVIDERS)


@pytest.mark.parametrize(("name", "wanted"), [("hunter", RANGED), ("clearbit", EXACT)])
def test_a_company_is_told_in_plain_properties(name: str, wanted: CompanyProfile, addresses: Addresses, sandbox: Sandbox) -> None:
    sandbox.companies[STEEL] = company(STEEL)
    assert provider(name, addresses).company(STEEL) == wanted
    assert provider(name, addresses).company("nobody.example") is None


@EACH
@pytest.mark.parametrize(
    ("habit", "said"),
    [
        (Habit.BROKEN, "answered 500"),
        (Habit.HTML, "no company"),
        (Habit.RUBBISH, "no company that could be used"),
        (Habit.PENDING, "still looking"),
        (Habit.ANOTHER, "another domain"),
        (Habit.HUGE, "more than 256 kB"),
        (Habit.TOO_MANY, "answered 429"),
    ],
)
def test_each_bad_habit_is_worth_another_try_and_says_what_it_is(
    name: str, habit: Habit, said: str, addresses: Addresses, sandbox: Sandbox
) -> None:
    sandbox.companies[STEEL] = company(STEEL)
    sandbox.company_habits[EVERY] = habit
    with pytest.raises(Retryable, match=said) as caught:
        provider(name, addresses).company(STEEL)
    assert KEY not in str(caught.value)


@EACH
def test_who_is_too_slow_is_not_waited_for(name: str, addresses: Addresses, sandbox: Sandbox) -> None:
    sandbox.company_habits[EVERY] = Habit.SLOW
    with pytest.raises(Retryable, match="cannot be reached: ReadTimeout"):
        provider(name, addresses, seconds=0.1).company(STEEL)
    with pytest.raises(Retryable, match="cannot be reached"):
        PROVIDERS[name](KEY, "http://127.0.0.1:9", 1, 1).company(STEEL)


@pytest.mark.parametrize(("name", "seconds"), [("hunter", 30), ("clearbit", 45)])
def test_who_refuses_is_left_alone_for_as_long_as_it_says(name: str, seconds: int, addresses: Addresses, sandbox: Sandbox) -> None:
    asked = provider(name, addresses)
    assert asked.rest_seconds() == 0
    sandbox.company_habits[EVERY] = Habit.TOO_MANY
    with pytest.raises(Retryable):
        asked.company(STEEL)
    assert seconds - 3 < asked.rest_seconds() <= seconds
    wrong = provider(name, addresses, key="wrong")
    with pytest.raises(Retryable, match="answered 401"):
        wrong.company(STEEL)
    assert wrong.rest_seconds() > 30


def test_what_is_refused_for_good_is_not_tried_again(addresses: Addresses, sandbox: Sandbox) -> None:
    sandbox.fault = lambda _vendor, _path: 400
    with pytest.raises(Permanent, match="answered 400"):
        provider("hunter", addresses).company(STEEL)
    sandbox.fault = lambda _vendor, _path: 451  # of whom nothing may be said, nothing is known
    assert provider("hunter", addresses).company(STEEL) is None


@pytest.mark.parametrize(
    "spoilt",
    [
        {"metrics": {"employees": -3}},
        {"metrics": {"employees": "many"}},
        {"metrics": []},
        {"foundedYear": 20_260},
        {"geo": {"countryCode": "Germany"}},
        {"category": {"industry": {"name": "Steel"}}},
        {"category": {"industry": "nul\x00"}},
        {"category": {"industry": "half an emoji \ud83d"}},
        {"category": {"industry": "x" * 5_000}},
        {"domain": None},
        {"domain": "another.example"},
        {"tech": "php"},
    ],
)
def test_rubbish_is_told_as_such(spoilt: dict[str, Any]) -> None:
    with pytest.raises(Retryable, match="clearbit answered"):
        profile_of("clearbit", STEEL, json.dumps({**company(STEEL), **spoilt}).encode())


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"7", b'{"domain": NaN}', b"\xff", b'"text"', b"[" * 100_000])
def test_what_is_no_object_is_rubbish(body: bytes) -> None:
    for inside in (None, "data"):
        with pytest.raises(Retryable, match="no company"):
            profile_of("hunter", STEEL, body, inside=inside)


def test_a_company_of_which_nothing_is_told_is_unknown() -> None:
    assert profile_of("clearbit", STEEL, json.dumps({"domain": STEEL, "tech": [], "metrics": {"employees": 0}}).encode()) is None


def test_an_alias_and_a_host_of_its_own_are_the_company() -> None:
    told = json.dumps(company(STEEL, domainAliases=["stahl.example"])).encode()
    for asked in ("stahl.example", "mail.steel.example", STEEL):
        assert profile_of("clearbit", asked, told) == EXACT


def test_nothing_is_asked_about_free_mail_or_what_is_no_domain() -> None:
    for host in FREE_MAIL:
        assert of_address(f"ada@{host.upper()}") is None, host
        assert of_site(f"https://www.{host}/") is None, host
    for address in (
        "",
        None,
        "ada",
        "ada@",
        "ada@localhost",
        "ada@10.0.0.1",
        "ada@[::1]",
        "ada@a b.example",
        "a@" + "x" * 64 + ".de",
    ):
        assert of_address(address) is None, address
    assert of_site("http://user:secret@www.Steel.example:8080/path?x=a@b.example") == STEEL


def test_the_names_of_the_properties_are_ours_alone() -> None:
    assert all(is_profile_name(name) for name in PROFILE_NAMES)
    assert not any(is_profile_name(name) for name in ("industry", "company_industry", "profile", "company_profile"))
    assert len(PROFILE_NAMES) == 2 * len(CompanyProfile.model_fields)


def test_those_with_a_key_are_asked_in_the_order_of_the_settings(tmp_path: Any) -> None:
    def named(**settings: Any) -> list[str]:
        return [one.name for one in build_company_data(settings_for(tmp_path, **settings))]

    assert named() == []
    assert named(hunter_api_key="k", clearbit_api_key="k") == ["hunter", "clearbit"]
    assert named(hunter_api_key="k", clearbit_api_key="k", company_data_order=" clearbit, hunter,clearbit") == [
        "clearbit",
        "hunter",
    ]
    assert named(hunter_api_key="k", company_data_order="clearbit") == []
    with pytest.raises(NotConfigured, match="there is no 'apollo'; there are hunter, clearbit"):
        named(company_data_order="apollo")
    assert (Hunter.name, Clearbit.name) == tuple(PROVIDERS)
