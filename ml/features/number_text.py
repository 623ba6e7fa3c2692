"""Numbers as people and programs write them: `1234.5`, `1.234,5`, `1 234,50 €`, `$1,234.50`, `12 %`.

A column has one form. Its own form is tried first, then the plain one (`-1234.5e3`, as JSON and every CRM writes it), so
that a version trained on a German table also understands what comes through an API.
"""

import re
from functools import lru_cache

import polars as pl

# These stand inside [...] of a pattern. Excel and Unicode have a minus of their own; a gap may be one that does not break.
SIGNS = "+\\-\u2212"
GAPS = " \xa0\u2009\u202f"
THOUSANDS_MARKS = {"": "", ".": ".", ",": ",", " ": GAPS, "'": "'\u2019"}
EXPONENT = "(?:[eE][+-]?[0-9]+)?"
PLAIN = re.compile(rf"[{SIGNS}]?(?:[0-9]+\.?[0-9]*|\.[0-9]+){EXPONENT}")


def parse_number(text: str, decimal: str = ".", thousands: str = "", unit: str = "") -> float | None:
    """The number that a trimmed text says; None where it says none. May be infinite: `1e999`.

    >>> parse_number("1.234,5", decimal=",", thousands=".")
    1234.5
    >>> parse_number("1234.5", decimal=",", thousands=".")
    1234.5
    >>> parse_number("-$1,234", thousands=",", unit="$")
    -1234.0
    >>> parse_number("1,5")
    """
    if not is_plain(decimal, thousands, unit) and own_form(decimal, thousands, unit).fullmatch(text):
        text = text.replace(unit, "").translate(_deleted(thousands)).replace(decimal, ".")
    elif not PLAIN.fullmatch(text):
        return None
    return float(text.replace("\u2212", "-"))


def read_numbers(texts: pl.Series, decimal: str = ".", thousands: str = "", unit: str = "") -> pl.Series:
    """The same for a whole column of trimmed texts, as far as that is quick.

    What is null or not finite here, `parse_number` must still be asked about.
    """
    if not is_plain(decimal, thousands, unit):
        own = texts.str.contains(f"^(?:{own_form(decimal, thousands, unit).pattern})$").fill_null(value=False)
        bare = texts.str.replace_all(unit, "", literal=True) if unit else texts
        bare = bare.str.replace_all(f"[{GAPS}{THOUSANDS_MARKS[thousands]}]", "").str.replace(decimal, ".", literal=True)
        texts = bare.zip_with(own, texts)
    return texts.cast(pl.Float64, strict=False)


def is_plain(decimal: str, thousands: str, unit: str) -> bool:
    return decimal == "." and not thousands and not unit


@lru_cache(maxsize=256)
def own_form(decimal: str, thousands: str, unit: str) -> re.Pattern[str]:
    """What a number in this form looks like; thousands marks only between groups of three, the unit on either side.

    The pattern means the same to Python's engine and to Polars' (Rust's).
    """
    sign, mark, after = f"[{SIGNS}]?", re.escape(decimal), ""
    if unit:
        unit = re.escape(unit)
        sign = f"(?:[{SIGNS}]?[{GAPS}]?(?:{unit}[{GAPS}]?)?|{unit}[{GAPS}]?[{SIGNS}])"
        after = f"(?:[{GAPS}]?{unit})?"
    whole = f"[0-9]{{1,3}}(?:[{THOUSANDS_MARKS[thousands]}][0-9]{{3}})+|[0-9]+" if thousands else "[0-9]+"
    return re.compile(f"{sign}(?:(?:{whole})(?:{mark}[0-9]*)?|{mark}[0-9]+){EXPONENT}{after}")


@lru_cache(maxsize=len(THOUSANDS_MARKS))
def _deleted(thousands: str) -> dict[int, None]:
    return {ord(mark): None for mark in GAPS + THOUSANDS_MARKS[thousands]}
