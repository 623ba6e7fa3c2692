"""The mood of a text, from -1 (very bad) to 1 (very good), by the words in it: English and German.

Each word of a list counts with its weight; one before it that makes it stronger or weaker multiplies it, a negation near it turns
it and takes a quarter off, and what comes after a "but" counts more than what comes before. The sum is squeezed between -1 and 1.
(The rules and their numbers follow C. Hutto and E. Gilbert, VADER, ICWSM 2014; the word lists are our own.)

What it cannot do: irony, comparisons ("better than you"), who feels what about whom, words that are not in the lists, languages
other than these two, and it reads quoted mails as if they were new. It is a hint, and counts as one feature among many.
"""

import math
import re
from collections.abc import Sequence
from enum import StrEnum

from ml.sentiment.english import ENGLISH
from ml.sentiment.german import GERMAN
from ml.sentiment.language import Language, folded

LANGUAGES = (ENGLISH, GERMAN)

ADDRESS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+")
SENTENCE_ENDS = re.compile(r"[.!?;\n]+")
CLAUSE_ENDS = re.compile(r"[,:()\u2013\u2014]| - ")
WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
# From VADER: how far a negation reaches, what it leaves of a word, what "but" does, and how the sum is squeezed.
REACH = 3
REACH_AFTER = 2
TURNED = -0.74
BEFORE_CONTRAST, AFTER_CONTRAST = 0.5, 1.5
SQUEEZE = 15.0
MOOD_FROM = 0.05  # nearer to nothing than this is neutral
# A text is in a language if so much of it is that language's most common words.
LEAST_COMMON = 0.1


class Mood(StrEnum):
    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


def score(text: str) -> float | None:
    """From -1 to 1; None where nothing of the text is understood.

    >>> score("Very happy, wants to sign"), score("Sie sind nicht zufrieden, leider zu teuer"), score("Aujourd'hui")
    (0.6808, -0.6888, None)
    """
    sentences = [_clauses(sentence) for sentence in SENTENCE_ENDS.split(ADDRESS.sub(" ", folded(text)))]
    tokens = [token for sentence in sentences for clause in sentence for token in clause]
    if not tokens:
        return None
    found = max((_read(language, sentences, tokens) for language in LANGUAGES), key=lambda read: read[:2])
    shares, hits, total = found
    if shares < LEAST_COMMON and not hits:
        return None
    return round(total / math.sqrt(total * total + SQUEEZE), 4)


def mood(value: float) -> Mood:
    """
    >>> mood(0.4), mood(0.01), mood(-0.2)
    (<Mood.POSITIVE: 'positive'>, <Mood.NEUTRAL: 'neutral'>, <Mood.NEGATIVE: 'negative'>)
    """
    if abs(value) < MOOD_FROM:
        return Mood.NEUTRAL
    return Mood.POSITIVE if value > 0 else Mood.NEGATIVE


def _clauses(sentence: str) -> list[list[str]]:
    return [WORD.findall(clause) for clause in CLAUSE_ENDS.split(sentence)]


def _read(language: Language, sentences: Sequence[Sequence[Sequence[str]]], tokens: Sequence[str]) -> tuple[float, int, float]:
    """The share of its common words, how many words of its lists there are, and the sum of what they say."""
    share = sum(token in language.common for token in tokens) / len(tokens)
    weighed = [_weighed(language, clauses) for clauses in sentences]
    return share, sum(hits for hits, _ in weighed), math.fsum(total for _, total in weighed)


def _weighed(language: Language, clauses: Sequence[Sequence[str]]) -> tuple[int, float]:
    """One sentence: the words that count, and their sum."""
    said: list[tuple[bool, float]] = []  # whether a contrast came before, and the weight
    after = False
    for clause in clauses:
        for place, token in enumerate(clause):
            after = after or token in language.contrasts
            if weight := language.weight(token):
                said.append((after, weight * _factor(language, clause, place)))
    if not after:
        return len(said), math.fsum(weight for _, weight in said)
    return len(said), math.fsum(weight * (AFTER_CONTRAST if late else BEFORE_CONTRAST) for late, weight in said)


def _factor(language: Language, clause: Sequence[str], place: int) -> float:
    """What the words around one make of it."""
    before = clause[max(place - REACH, 0) : place]
    factor = math.prod(language.stronger.get(token, 1.0) for token in before)
    negations = sum(language.negates(token) for token in before)
    if language.negates_before and not negations:
        negations = _negated_after(language, clause[place + 1 : place + 1 + REACH_AFTER])
    return factor * TURNED**negations


def _negated_after(language: Language, following: Sequence[str]) -> int:
    """1 where a negation follows that belongs to no other word after it."""
    for place, token in enumerate(following):
        if language.negates(token):
            return int(not any(language.weight(later) for later in following[place + 1 :]))
        if language.weight(token):
            return 0
    return 0
