"""By what people and companies are known in all sources."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.domain.entity import EntityKind, EntityRef
from data.domain.identity import address_of, domain_of, key_of_ref, keys_of

PERSON, COMPANY = EntityKind.CONTACT, EntityKind.COMPANY


@pytest.mark.parametrize("text", ["ada@example.com", " Ada@Example.com\t", "ADA@EXAMPLE.COM"])
def test_an_address_is_one_however_it_is_written(text: str) -> None:
    assert address_of(text) == "ada@example.com"


@pytest.mark.parametrize(
    "text", ["", "ada", "ada@", "@example.com", "ada@example", "a b@example.com", "a@b@example.com",
             "ada@example.com, bob@example.com", "ada@exa_mple.com", f"{'a' * 250}@example.com"],
)  # fmt: skip
def test_what_is_no_address_is_no_key(text: str) -> None:
    assert address_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "acme.io",
        "www.acme.io",
        "https://acme.io",
        "http://www.ACME.io/de?x=1",
        "acme.io/contact",
        "https://acme.io:8443",
        "//acme.io",
    ],
)
def test_a_domain_is_one_however_it_is_written(text: str) -> None:
    assert domain_of(text) == "acme.io"


@pytest.mark.parametrize("text", ["", "acme", "gmail.com", "https://www.gmail.com", "localhost", "http://[::1", "127.0.0.1", "n/a"])
def test_what_tells_no_company_from_another_is_no_key(text: str) -> None:
    assert domain_of(text) is None


def test_only_properties_that_hold_a_key_give_one() -> None:
    assert keys_of(PERSON, "email", "ada@example.com") == {"ada@example.com"}
    assert keys_of(PERSON, "manager_email", "ada@example.com") == set()
    assert keys_of(COMPANY, "email", "ada@example.com") == set()
    assert keys_of(EntityKind.DEAL, "domain", "acme.io") == set()
    assert keys_of(PERSON, "email", None) == set()


@pytest.mark.parametrize(
    ("kind", "name", "value", "keys"),
    [
        (PERSON, "hs_additional_emails", "ada@home.example;A@Work.example", {"ada@home.example", "a@work.example"}),
        (PERSON, "other_emails", " ada@home.example ; ; unknown;", {"ada@home.example"}),
        (PERSON, "email", "ada@home.example;a@work.example", set()),  # a property of one address that holds none
        (PERSON, "hs_additional_domains", "acme.io", set()),
        (COMPANY, "hs_additional_domains", "acme.io; https://www.acme.de/x; gmail.com", {"acme.io", "acme.de"}),
        (COMPANY, "hs_additional_emails", "ada@home.example", set()),
    ],
)
def test_a_property_of_several_gives_a_key_for_each(kind: EntityKind, name: str, value: str, keys: set[str]) -> None:
    assert keys_of(kind, name, value) == keys


def test_only_our_own_json_names_a_person_by_the_address() -> None:
    assert key_of_ref(EntityRef(source="generic", kind=PERSON, id="Ada@example.com")) == "ada@example.com"
    assert key_of_ref(EntityRef(source="hubspot", kind=PERSON, id="ada@example.com")) is None
    assert key_of_ref(EntityRef(source="generic", kind=COMPANY, id="ada@example.com")) is None


@given(st.text())
def test_any_text_is_a_key_or_none_and_a_key_is_its_own(text: str) -> None:
    for found_of in (address_of, domain_of):
        found = found_of(text)
        assert found is None or found_of(found) == found
