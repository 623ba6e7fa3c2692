"""What Slack gets: once when a lead turns hot, within Slack's limits, and waking nobody by a name."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.destinations.base import Activation
from automation.destinations.digest import BLOCK_PREFIX
from automation.destinations.mrkdwn import escape
from automation.destinations.slack import SLACK, record_link, turns_hot
from data.domain.entity import EntityKind, EntityRef, Known
from data.domain.prediction import Factor, Grade, Label, Prediction
from data.settings import Settings
from tests.support import NOON

DAY = timedelta(days=1)
SETTINGS = {"hubspot_portal_id": "33", "pipedrive_company_url": "https://acme.pipedrive.com/", "slack_channel": "#sales"}
LONG = st.text(max_size=40) | st.integers(1, 3_000).map("<&>é".__mul__)
DELIVERY = "0f1e2d3c"


def activation(
    *,
    label: Label = Label.HIGH,
    cooled: bool = True,
    last_alert_at: datetime | None = None,
    source: str = "hubspot",
    kind: EntityKind = EntityKind.CONTACT,
    entity_id: str = "901",
    known: dict[str, Any] | None = None,
    factors: tuple[Factor, ...] = (Factor(feature="page_views", value=14, contribution=0.7, points=12.4),),
    base_rate: float = 0.1,
    score: float = 0.91,
    **settings: Any,
) -> Activation:
    prediction = Prediction(
        model="lead_score", model_version="3", score=score, label=label, grade=Grade.A, threshold=0.8, confidence=score,
        base_value=-2.0, factors=factors,
    )  # fmt: skip
    return Activation(
        settings=Settings(_env_file=None, **SETTINGS | settings),  # type: ignore[call-arg]
        delivery_id=DELIVERY,
        entity=EntityRef(source=source, kind=kind, id=entity_id),
        known=Known(values={"firstname": "Ada", "lastname": "Abel", "company": "Nordic Foods"} if known is None else known),
        prediction=prediction,
        fields={},
        base_rate=base_rate,
        occurred_at=NOON,
        now=NOON,
        cooled=cooled,
        last_alert_at=last_alert_at,
    )


def message(**parts: Any) -> dict[str, Any]:
    content = SLACK.content(activation(**parts))
    assert content is not None
    return content


def texts(content: dict[str, Any], kind: str) -> list[str]:
    """Every text of a kind (mrkdwn, plain_text) in the blocks."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("type") == kind:
                found.append(value["text"])
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                walk(item)

    walk(content["blocks"])
    return found


@pytest.mark.parametrize(
    ("label", "cooled", "quiet_for", "hot"),
    [
        (Label.LOW, True, None, False),
        (Label.HIGH, True, None, True),
        (Label.HIGH, False, None, True),
        (Label.HIGH, True, 7 * DAY, True),
        (Label.HIGH, True, 7 * DAY - timedelta(microseconds=1), False),
        (Label.HIGH, True, -DAY, False),
        (Label.HIGH, False, 30 * DAY, False),
        (Label.LOW, True, 30 * DAY, False),
    ],
)
def test_a_lead_alerts_when_it_turns_hot(label: Label, cooled: bool, quiet_for: timedelta | None, hot: bool) -> None:
    last = None if quiet_for is None else NOON - quiet_for
    made = activation(label=label, cooled=cooled, last_alert_at=last, alert_quiet_days=7)
    assert turns_hot(made) is hot
    assert (SLACK.content(made) is not None) is hot


def test_without_quiet_days_a_lead_that_cooled_alerts_at_once() -> None:
    assert turns_hot(activation(last_alert_at=NOON, alert_quiet_days=0))


@given(st.text())
def test_escaped_text_has_no_control_character_and_can_be_read_back(text: str) -> None:
    escaped = escape(text)
    assert not {"<", ">"} & set(escaped)
    assert escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text


@pytest.mark.parametrize("evil", ["<!channel>", "<!here|x>", "<@U123>", "<https://evil.example|click>", "&lt;!channel&gt;"])
def test_no_name_or_value_reaches_slack_as_markup(evil: str) -> None:
    content = message(
        known={"firstname": evil, "company": evil}, entity_id=evil, factors=(Factor(feature=evil, value=evil, contribution=1.0),)
    )
    for text in (content["text"], *texts(content, "mrkdwn")):
        assert evil not in text
        assert "<" not in text
    assert escape(evil) in content["text"]


def test_the_message_says_who_how_likely_and_why() -> None:
    content = message()
    assert (content["channel"], content["text"]) == ("#sales", "Hot lead: Ada Abel (Nordic Foods), 91% likely")
    assert texts(content, "plain_text")[0] == "Hot lead: Ada Abel (Nordic Foods)"
    section, footer = texts(content, "mrkdwn")
    assert "*91%* likely to be won, grade *A*, 9.1 times the average lead" in section
    assert "• 14 pages seen: +12 points" in section
    assert footer == "lead_score version 3, hubspot contact 901"


@pytest.mark.parametrize(("score", "shown"), [(0.9999, "over 99%"), (0.991, "over 99%"), (0.99, "99%"), (0.0001, "under 1%")])
def test_no_lead_is_called_certain(score: float, shown: str) -> None:
    content = message(score=score)
    assert content["text"].endswith(f"{shown} likely")
    assert any(f"*{shown}* likely" in text for text in texts(content, "mrkdwn"))


def test_only_the_strongest_factors_are_told() -> None:
    section, _ = texts(
        message(factors=tuple(Factor(feature=f"feature_{n}", value=n, contribution=1.0) for n in range(9))), "mrkdwn"
    )
    assert [f"feature {n} " in section for n in range(5)] == [True, True, True, False, False]


def test_the_delivery_is_known_by_one_block() -> None:
    content = message()
    assert content["block_id"] == BLOCK_PREFIX + DELIVERY
    assert [block["block_id"] for block in content["blocks"] if "block_id" in block] == [BLOCK_PREFIX + DELIVERY]


@pytest.mark.parametrize(
    ("known", "who"),
    [
        ({}, "contact 901"),
        ({"firstname": None, "lastname": "", "name": None, "email": ""}, "contact 901"),
        ({"email": "ada@example.com"}, "ada@example.com"),
        ({"name": "Ada Abel", "email": "ada@example.com"}, "Ada Abel"),
        ({"firstname": "Ada", "name": "Someone"}, "Ada"),
        ({"lastname": "Abel", "org_name": "Nordic"}, "Abel (Nordic)"),
        ({"firstname": 7, "company": ["a"]}, "7 (['a'])"),
    ],
)
def test_a_lead_is_called_by_the_best_name_there_is(known: dict[str, Any], who: str) -> None:
    assert texts(message(known=known), "plain_text")[0] == f"Hot lead: {who}"


@given(first=LONG, last=LONG, company=LONG, feature=LONG, value=LONG, entity_id=st.integers(1, 128).map("&".__mul__))
def test_a_message_keeps_within_slacks_limits(
    first: str, last: str, company: str, feature: str, value: str, entity_id: str
) -> None:
    """The limits of each block, and the 4,000 characters that Slack asks for in `text`: https://docs.slack.dev/reference/block-kit/blocks"""
    factors = tuple(Factor(feature=feature, value=value, contribution=n) for n in range(9))
    content = message(known={"firstname": first, "lastname": last, "company": company}, factors=factors, entity_id=entity_id)
    assert 1 <= len(content["text"]) <= 4_000
    assert len(content["blocks"]) <= 50
    for block in content["blocks"]:
        assert len(block.get("block_id", "")) <= 255
        if block["type"] == "header":
            assert 1 <= len(block["text"]["text"]) <= 150
        if block["type"] == "section":
            assert 1 <= len(block["text"]["text"]) <= 3_000
        for element in block.get("elements", []):
            if element["type"] == "button":
                assert (len(element["text"]["text"]) <= 75, len(element["url"]) <= 3_000) == (True, True)
            else:
                assert 1 <= len(element["text"]) <= 2_000


def test_a_text_is_never_cut_within_an_escaped_character() -> None:
    for spaces in range(6):
        section, _ = texts(message(factors=(Factor(feature=" x" * spaces + "<" * 5_000, value=1, contribution=1.0),)), "mrkdwn")
        assert section.count("&") == section.count("&lt;")


def test_a_base_rate_of_nothing_does_not_divide() -> None:
    assert "0.0 times the average lead" in texts(message(base_rate=0.0), "mrkdwn")[0]


@pytest.mark.parametrize(
    ("source", "kind", "link"),
    [
        ("hubspot", EntityKind.CONTACT, "https://app.hubspot.com/contacts/33/record/0-1/901"),
        ("hubspot", EntityKind.COMPANY, "https://app.hubspot.com/contacts/33/record/0-2/901"),
        ("hubspot", EntityKind.DEAL, "https://app.hubspot.com/contacts/33/record/0-3/901"),
        ("pipedrive", EntityKind.CONTACT, "https://acme.pipedrive.com/person/901"),
        ("pipedrive", EntityKind.COMPANY, "https://acme.pipedrive.com/organization/901"),
        ("pipedrive", EntityKind.DEAL, "https://acme.pipedrive.com/deal/901"),
        ("generic", EntityKind.CONTACT, None),
    ],
)
def test_the_link_leads_to_the_record(source: str, kind: EntityKind, link: str | None) -> None:
    assert record_link(activation(source=source, kind=kind)) == link
    content = message(source=source, kind=kind)
    urls = [element["url"] for block in content["blocks"] for element in block.get("elements", []) if "url" in element]
    assert urls == ([link] if link else [])


@pytest.mark.parametrize("source", ["hubspot", "pipedrive"])
def test_without_an_account_there_is_no_link(source: str) -> None:
    assert record_link(activation(source=source, hubspot_portal_id="", pipedrive_company_url="")) is None
