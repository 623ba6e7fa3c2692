"""The mood of a text: by the words in it, turned by negations, in two languages."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.sentiment.language import Language, folded
from ml.sentiment.scorer import LANGUAGES, Mood, mood, score

EACH_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
SAYINGS = {
    "english": ("it is {} with us", "it is not {} with us", "it is very {} with us"),
    "german": ("das ist {} bei uns", "das ist nicht {} bei uns", "das ist sehr {} bei uns"),
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("They love the product and are ready to buy.", Mood.POSITIVE),
        ("Budget is approved, contract signed", Mood.POSITIVE),
        ("Has no budget this year", Mood.NEGATIVE),
        ("They don't like it at all", Mood.NEGATIVE),
        ("Great call, but far too expensive for them", Mood.NEGATIVE),
        ("The price is not bad", Mood.POSITIVE),
        ("He will call us on Monday about the offer", Mood.NEUTRAL),
        ("Der Kunde ist begeistert und will unterschreiben", Mood.POSITIVE),
        ("Gefällt ihm nicht", Mood.NEGATIVE),
        ("Kein Interesse, leider zu teuer", Mood.NEGATIVE),
        ("Das ist kein Problem", Mood.POSITIVE),
        ("Sehr nettes Gespräch, aber er ist enttäuscht vom Service", Mood.NEGATIVE),
        ("Ich möchte kündigen", Mood.NEGATIVE),
        ("Wir telefonieren am Montag wegen des Angebots", Mood.NEUTRAL),
    ],
)
def test_what_people_write_down_has_the_mood_that_they_would_give_it(text: str, wanted: Mood) -> None:
    found = score(text)
    assert found is not None
    assert mood(found) is wanted


@pytest.mark.parametrize("text", ["", "   ", "12:30", "Client très content, signe demain", "顧客は満足", "https://x.example/?a=1"])
def test_nothing_is_said_of_what_is_not_understood(text: str) -> None:
    assert score(text) is None


@EACH_LANGUAGE
def test_a_negation_turns_each_word_and_a_stronger_one_makes_more_of_it(language: Language) -> None:
    plain, negated, stronger = SAYINGS[language.name]
    for word, weight in language.weights.items():
        if word in language.contrasts or word in language.stronger or language.negates(word):
            continue
        said, turned, more = (score(saying.format(word)) for saying in (plain, negated, stronger))
        assert said is not None, word
        assert turned is not None, word
        assert more is not None, word
        assert (said > 0) == (weight > 0), word
        assert said * turned < 0, word
        assert abs(turned) < abs(said) < abs(more), word


@EACH_LANGUAGE
def test_no_word_is_both_good_and_bad_or_only_grammar(language: Language) -> None:
    assert not language.weights.keys() & language.common - {"not"}
    assert not [word for word in language.weights if language.negates(word)]
    assert {word for word in language.weights if word != folded(word)} == set()


@EACH_LANGUAGE
def test_an_inflected_word_is_the_word(language: Language) -> None:
    told = {"english": "delayed delaying delays impressed loves", "german": "zufriedenen schlechtes teurer interessierte gutem"}
    signs = [language.weight(word) for word in told[language.name].split()]
    assert all(signs), signs


@given(st.text(max_size=300))
def test_any_text_has_a_mood_within_bounds_or_none(text: str) -> None:
    found = score(text)
    assert found is None or -1 <= found <= 1


@given(st.text(string.ascii_letters + " .,!?'", max_size=200))
def test_capitals_and_umlauts_written_out_change_nothing(text: str) -> None:
    assert score(text.upper()) == score(text.lower()) == score(text)
    assert score("Größe überzeugt") == score("Groesse ueberzeugt")
