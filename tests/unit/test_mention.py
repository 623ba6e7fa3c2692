"""An address is found in all of its spellings, as a whole, and nothing else is touched."""

import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.domain.mention import Mentions, addresses_in, in_json, names_out_of, parts_of, texts_in

ADA = "ada@example.com"
INSTEAD = "erased-0"
MENTIONS = Mentions({ADA: INSTEAD}, ("hubspot contact 901",))

SPELLED = {
    "as it is": ADA,
    "in capitals": "ADA@Example.COM",
    "in a URL": "ada%40example.com",
    "in a URL within a URL": "ada%2540example.com",
    "as JSON escapes": r"\u0061d\u0061\u0040example.com",
    "as JSON within JSON": r"\\u0061da\\u0040example.com",
    "in HTML by number": "ada&#64;example.com",
    "in HTML by hexadecimal": "ada&#x40;example.com",
    "in HTML by name": "ada&commat;example.com",
    "in an e-mail's own": "ada=40example.com",
    "every character in percent": "".join(f"%{ord(one):02X}" for one in ADA),
}
AROUND = [
    "{}",
    "<{}>",
    "'{}'",
    '"{}"',
    "mailto:{}",
    "write to {}.",
    "{}, and others",
    "?email={}&x=1",
    "({})",
    "a|{}|b",
    "100%{}",
    "…{}…",
]
OTHERS = [
    "jada@example.com", "ada@example.com.au", "ada+news@example.com", "news+ada@example.com", "x.ada@example.com",
    "x-ada@example.com", "ada@example.com-pany.de", "ada@example.community", "ada@examplexcom", "_ada@example.com",
    "jada%40example.com", "ada%2Bx%40example.com", "x%2Bada%40example.com", "Ada", "example.com", "ada at example.com",
    "@example.com", "ada@", "",
]  # fmt: skip


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("spelled", SPELLED.values(), ids=SPELLED.keys())
def test_an_address_is_found_and_taken_out_however_it_is_written(spelled: str, around: str) -> None:
    text = around.format(spelled)
    assert MENTIONS.are_in(text)
    assert MENTIONS.out_of(text) == around.format(INSTEAD)
    assert ADA in addresses_in(text)


@pytest.mark.parametrize("other", OTHERS)
def test_what_is_only_like_it_stays_as_it_is(other: str) -> None:
    for text in (other, f"to {other}.", f"<{other}>", json.dumps(other), quote(other)):
        assert not MENTIONS.are_in(text), text
        assert MENTIONS.out_of(text) == text


def test_all_of_several_go_and_their_neighbours_stay() -> None:
    text = "ada@example.com, jada@example.com; ADA%40example.com/hubspot contact 901/hubspot contact 9012"
    assert MENTIONS.out_of(text) == f"{INSTEAD}, jada@example.com; {INSTEAD}/[erased]/hubspot contact 9012"


def test_every_text_in_a_json_value_is_changed_the_names_too() -> None:
    value = {"ada@example.com": [1, None, {"x": "ADA@EXAMPLE.COM"}], "y": True}
    assert in_json(value, MENTIONS.out_of) == {INSTEAD: [1, None, {"x": INSTEAD}], "y": True}
    assert list(texts_in(value)) == ["ada@example.com", "x", "ADA@EXAMPLE.COM", "y"]


@pytest.mark.parametrize(
    ("address", "written"),
    [("o'brien@example.com", "mail O'Brien@example.com"), ("ädä@exämple.de", "ÄDÄ@EXÄMPLE.DE"), ("a+b@c.de", "x a%2Bb%40c.de y")],
)
def test_unusual_addresses_are_found_too(address: str, written: str) -> None:
    assert Mentions({address: INSTEAD}).are_in(written)
    assert address in addresses_in(written)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Ada Lovelace called", "[erased] called"),
        ("ADA  LOVELACE called, Ada-Lovelace too", "[erased] called, [erased] too"),
        ("Lovelace, Ada: will call", "[erased], [erased]: will call"),
        ("Canada, adapter, lovelaces; ada", "Canada, adapter, lovelaces; [erased]"),
        ("Ms. Ada van Buren, or Ms. Byron", "[erased] van Buren, or Ms. Byron"),
    ],
)
def test_a_person_s_names_are_taken_out_and_what_only_begins_like_them_is_not(text: str, left: str) -> None:
    assert names_out_of(text, ["Ada Lovelace", "Ms. Ada"]) == left


def test_a_name_that_is_a_word_too_is_one_only_where_it_is_written_as_a_name() -> None:
    assert names_out_of("Will will call; WILL did", ["Will King"]) == "[erased] will call; [erased] did"


def test_of_another_person_s_record_only_the_whole_name_goes() -> None:
    assert names_out_of("Bob Lovelace met Ada Lovelace", ["Ada Lovelace"], alone=False) == "Bob Lovelace met [erased]"


LETTERS = st.text("abcdefghij.-_+0123456789", min_size=1, max_size=12)
TEXTS = st.text("abc @.,<>'\"%=&#;:\\/\n\u00e4u0041", max_size=40)


@given(TEXTS, TEXTS, st.sampled_from(["{}", " {} ", "<{}>", ", {}, "]), st.integers(0, 3))
def test_nothing_is_left_after_it_was_taken_out(before: str, after: str, around: str, layers: int) -> None:
    spelled = ADA
    for _ in range(layers):
        spelled = quote(spelled, safe="")
    text = before + around.format(spelled) + after
    out = MENTIONS.out_of(text)
    assert not MENTIONS.are_in(out)
    assert MENTIONS.out_of(out) == out


@given(TEXTS)
def test_a_text_without_it_stays_as_it_is(text: str) -> None:
    assert MENTIONS.out_of(text) == text


@given(LETTERS, st.sampled_from([str, quote, html.escape, json.dumps]))
def test_a_database_s_pattern_finds_at_least_what_a_careful_reader_finds(local: str, written: object) -> None:
    """Every spelling but JSON's escapes, which the database looks for by themselves, has the two parts in their order."""
    address = f"{local}@example.com"
    text = str(written(address) if callable(written) else address).lower()
    parts = parts_of(address)
    assert any(first in text and second in text[text.index(first) :] for first, second in parts)
