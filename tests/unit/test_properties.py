"""Names and words of each CRM, there and back."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.sources import ours
from automation.sources.properties import KEYS, PERSON, PROPERTIES, USUAL, WORDS, canonical, internal_name, vendor_property
from automation.sources.registry import SOURCES
from data.samples.leads import NAMES
from ml.features import engagement

FEATURES = engagement.TOLD


@given(st.text())
def test_an_internal_name_is_one_that_hubspot_takes(column: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", internal_name(column))


@given(st.from_regex(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", fullmatch=True))
def test_a_name_that_fits_already_stays_as_it_is(column: str) -> None:
    assert internal_name(column) == column


@pytest.mark.parametrize(
    ("column", "name"),
    [("Sessions", "sessions"), (" Page Views (30d) ", "page_views_30d"), ("7", "p_7"), ("größe", "gr_e"), ("???", "p_")],
)
def test_a_columns_internal_name(column: str, name: str) -> None:
    assert internal_name(column) == name


@pytest.mark.parametrize("source", SOURCES)
def test_a_features_name_goes_to_the_crm_and_comes_back(source: str) -> None:
    theirs = {vendor_property(source, feature): number for number, feature in enumerate(FEATURES)}
    assert canonical(source, theirs, FEATURES) == {feature: number for number, feature in enumerate(FEATURES)}


@given(st.lists(st.from_regex(r"[A-Z][A-Za-z]{2,8}( [0-9])?", fullmatch=True), unique_by=internal_name))
def test_a_users_own_columns_come_back_under_their_own_names(columns: list[str]) -> None:
    theirs = {vendor_property("hubspot", column): column for column in columns}
    assert canonical("hubspot", theirs, columns) == {column: column for column in columns}


def test_a_property_that_no_feature_asks_for_keeps_its_name() -> None:
    assert canonical("hubspot", {"firstname": "Ada", "hs_analytics_num_visits": "4"}, ()) == {
        "firstname": "Ada",
        "hs_analytics_num_visits": "4",
    }


@pytest.mark.parametrize(("theirs", "ours"), WORDS["hubspot", "channel"].items())
def test_hubspots_words_for_channels_become_ours(theirs: str, ours: str) -> None:
    assert canonical("hubspot", {"hs_analytics_source": theirs}, FEATURES) == {"channel": ours}
    assert canonical("generic", {"channel": theirs}, FEATURES) == {"channel": theirs}


def test_every_channel_of_the_samples_has_a_word_at_hubspot() -> None:
    assert set(NAMES) <= set(WORDS["hubspot", "channel"].values())


@pytest.mark.parametrize("value", [None, 4, "carrier pigeon", ["PAID_SOCIAL"], {"a": 1}, ""], ids=str)
def test_an_unknown_word_stays(value: Any) -> None:
    assert canonical("hubspot", {"hs_analytics_source": value}, FEATURES) == {"channel": value}


def test_the_primary_address_of_pipedrive_is_the_email() -> None:
    assert canonical("pipedrive", {"emails": "ada@example.com"}, FEATURES) == {"email": "ada@example.com"}


def test_the_tables_name_known_sources_only() -> None:
    assert {*PROPERTIES, *PERSON, *USUAL, *KEYS, *(source for source, _ in WORDS)} <= set(SOURCES)
    assert set(PERSON) == set(SOURCES) - {ours.NAME}
