"""What the scorer must know of a language."""

from collections.abc import Mapping
from dataclasses import dataclass

FOLDED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "’": "'", "é": "e", "è": "e"})
SHORTEST_STEM = 3


def folded(text: str) -> str:
    """In lower case, as it is written without umlauts."""
    return text.lower().translate(FOLDED)


@dataclass(frozen=True)
class Language:
    """`weights`: from -3 (very bad) to 3 (very good). `endings` may follow a word of the list, and `silent` may be lost before one.

    `negates_before`: whether a negation may also stand after what it negates, as in German main clauses.
    """

    name: str
    weights: Mapping[str, float]
    endings: tuple[str, ...]
    silent: str
    negations: frozenset[str]
    negates_before: bool
    stronger: Mapping[str, float]
    contrasts: frozenset[str]
    common: frozenset[str]
    """The words that most sentences have, by which the language is known."""

    def weight(self, token: str) -> float:
        """Of a word as it stands in a text; 0 where it says nothing."""
        if token in self.weights:
            return self.weights[token]
        for ending in self.endings:
            stem = token.removesuffix(ending)
            if len(stem) < len(token) and len(stem) >= SHORTEST_STEM:
                for word in (stem, stem + self.silent):
                    if word in self.weights:
                        return self.weights[word]
        return 0.0

    def negates(self, token: str) -> bool:
        return token in self.negations or token.endswith("n't")


def weights(lists: Mapping[float, str]) -> dict[str, float]:
    """Weight -> words, as word -> weight."""
    return {folded(word): weight for weight, words in lists.items() for word in words.split()}


def words(text: str) -> frozenset[str]:
    return frozenset(folded(text).split())
