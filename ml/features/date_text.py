"""Dates and times as people and programs write them, as days since 1970-01-01 UTC.

A column has one form. ISO 8601 and dates with the month's name are understood in every column, because neither can be
mistaken and an API sends the first; which of 3/4/2026 is the day, only the column's form can say. A time without a zone
is UTC.
"""

import re
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

import polars as pl

from ml.features.number_text import PLAIN

SECONDS_PER_DAY = 86_400
MILLISECONDS_PER_DAY = SECONDS_PER_DAY * 1_000
MICROSECONDS_PER_DAY = SECONDS_PER_DAY * 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The calendar's ends, years 1 and 9999: neither Python nor PostgreSQL keeps a moment outside of them.
FIRST_DAY, LAST_DAY = (day.toordinal() - EPOCH.toordinal() for day in (date.min, date.max))
# A number this large in a column of written dates is HubSpot's milliseconds: after March 1973, and no yyyymmdd.
SMALLEST_MILLISECONDS = 1e11
# POSIX: two digits from 69 on are of the last century.
CENTURY_TURNS_AT = 69


class DateForm(StrEnum):
    """How a column writes its dates."""

    ISO = "iso"  # 2026-01-31, also 2026/01/31, 2026-01, 20260131; with or without time and zone
    DAY_FIRST = "day_first"  # 31.01.2026, 31/01/2026, 31-01-26
    MONTH_FIRST = "month_first"  # 01/31/2026
    EPOCH_S = "epoch_s"  # seconds since 1970
    EPOCH_MS = "epoch_ms"  # milliseconds since 1970


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAME = f"(?P<name>{'|'.join(MONTHS)})[a-z]{{0,6}}"
YEAR = "(?P<year>[0-9]{4}|[0-9]{2})"
CLOCK = (
    r"(?:(?:t|,?\s+)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"(?:\s?(?P<half>[ap])m)?\s?(?:z|utc|gmt|(?P<zone>[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)


def _pattern(day: str) -> re.Pattern[str]:
    return re.compile(f"(?:{day}){CLOCK}", re.IGNORECASE | re.ASCII)


ISO = _pattern(r"(?P<year>[0-9]{4})(?P<mark>[-/.])(?P<month>[0-9]{1,2})(?P=mark)(?P<day>[0-9]{1,2})")
YEAR_LAST = {
    DateForm.DAY_FIRST: _pattern(rf"(?P<day>[0-9]{{1,2}})(?P<mark>[-/.])(?P<month>[0-9]{{1,2}})(?P=mark){YEAR}"),
    DateForm.MONTH_FIRST: _pattern(rf"(?P<month>[0-9]{{1,2}})(?P<mark>[-/.])(?P<day>[0-9]{{1,2}})(?P=mark){YEAR}"),
}
UNMISTAKABLE = (
    _pattern(rf"(?P<day>[0-9]{{1,2}})(?:-|\.? ?){NAME}(?:-|[.,]? ?){YEAR}"),
    _pattern(rf"{NAME}\.? (?P<day>[0-9]{{1,2}}),? {YEAR}"),
    re.compile("(?P<year>[0-9]{4})-(?P<month>[0-9]{2})"),
)
# What Polars reads alone; all else is rarer and goes through `parse_date`.
QUICK_DAY = "^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}$"
QUICK_MOMENT = (
    r"^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}[T ][0-2][0-9]:[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?$"
)
QUICK_ZONE = r"([+-])([0-9]{2}):?([0-9]{2})$"
QUICK_YEAR_LAST = r"^([0-9]{2})(?:\.([0-9]{2})\.|/([0-9]{2})/|-([0-9]{2})-)([1-9][0-9]{3})"
AS_ISO = {DateForm.DAY_FIRST: "${5}-${2}${3}${4}-${1}", DateForm.MONTH_FIRST: "${5}-${1}-${2}${3}${4}"}


def parse_date(text: str, form: DateForm) -> float | None:
    """Days since 1970-01-01 UTC, with a fraction, of a trimmed text; None where it is no date of this form.

    >>> parse_date("1970-01-02 12:00", DateForm.ISO), parse_date("3.1.1970", DateForm.DAY_FIRST)
    (1.5, 2.0)
    >>> parse_date("86400000", DateForm.EPOCH_MS)
    1.0
    """
    found = ISO.fullmatch(text)
    if found is None and form in YEAR_LAST:
        found = YEAR_LAST[form].fullmatch(text)
    if found is not None:
        return _days(found.groupdict())
    if PLAIN.fullmatch(text):
        return days_of_number(float(text.replace("\u2212", "-")), form)
    for pattern in UNMISTAKABLE:
        if found := pattern.fullmatch(text):
            return _days(found.groupdict())
    return None


def days_of_number(number: float, form: DateForm) -> float | None:
    """Days of a moment given as a number: an epoch in the column's unit, else milliseconds or yyyymmdd."""
    if form is DateForm.EPOCH_S:
        days = number / SECONDS_PER_DAY
    elif form is DateForm.EPOCH_MS or abs(number) >= SMALLEST_MILLISECONDS:
        days = number / MILLISECONDS_PER_DAY
    elif 1000_01_01 <= number <= 9999_12_31 and number == int(number):
        return _ordinal(int(number) // 1_00_00, int(number) // 1_00 % 1_00, int(number) % 1_00)
    else:
        return None
    return days if FIRST_DAY <= days < LAST_DAY + 1 else None


def days_of_datetime(moment: date) -> float:
    """Days of a date or of a datetime (naive is UTC)."""
    if not isinstance(moment, datetime):
        return float(moment.toordinal() - EPOCH.toordinal())
    passed = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH
    return float((passed.days * SECONDS_PER_DAY + passed.seconds) * 1_000_000 + passed.microseconds) / MICROSECONDS_PER_DAY


def datetime_of_days(days: float) -> datetime:
    """The other way round, in UTC; beyond the calendar's ends its last day."""
    return EPOCH + timedelta(days=min(max(days, FIRST_DAY), LAST_DAY))


def read_dates(texts: pl.Series, form: DateForm) -> pl.Series:
    """Days for a whole column of trimmed texts, as far as that is quick; about a null, `parse_date` must still be asked."""
    if form in AS_ISO:
        texts = texts.str.replace(QUICK_YEAR_LAST, AS_ISO[form])
    texts = texts.str.replace("^(.{10}[T ].{5})$", "${1}:00")
    days = _only(texts, QUICK_DAY).str.to_date("%Y-%m-%d", strict=False)
    clocks = _only(texts, QUICK_MOMENT).str.replace(" ", "T", literal=True).str.strip_chars_end("Z")
    moments = clocks.str.replace(QUICK_ZONE, "").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
    if clocks.str.contains(QUICK_ZONE).any():
        moments -= _offsets(clocks)
    return days_of_temporal(days).zip_with(days.is_not_null(), days_of_temporal(moments))


def _offsets(clocks: pl.Series) -> pl.Series:
    """What the zone of each text is ahead of UTC; zero without a zone."""
    parts = clocks.str.extract_groups(QUICK_ZONE).struct.unnest()
    minutes = parts["2"].cast(pl.Int64) * 60 + parts["3"].cast(pl.Int64)
    minutes = minutes.zip_with((parts["1"] == "+").fill_null(value=True), -minutes).fill_null(0)
    return (minutes * 60_000_000).cast(pl.Duration("us"))


def _only(texts: pl.Series, pattern: str) -> pl.Series:
    return texts.set(~texts.str.contains(pattern).fill_null(value=False), None)


def days_of_temporal(series: pl.Series) -> pl.Series:
    """Days of a Date or Datetime column; null outside of the calendar's years 1 to 9999."""
    if series.dtype == pl.Date:
        days = series.to_physical().cast(pl.Float64)
    else:
        # NumPy divides; Polars would multiply by an inexact 1 / 86,400,000,000.
        microseconds = series.dt.epoch("us").cast(pl.Float64).to_numpy()
        days = pl.Series(series.name, microseconds / MICROSECONDS_PER_DAY).fill_nan(None)
    return days.set(~days.is_between(FIRST_DAY, LAST_DAY + 1, closed="left"), None)


def _days(parts: dict[str, str | None]) -> float | None:
    name, year = parts.get("name"), int(parts["year"] or 0)
    if len(parts["year"] or "") == 2:
        year += 1900 if year >= CENTURY_TURNS_AT else 2000
    month = MONTHS.index(name.lower()) + 1 if name else int(parts["month"] or 0)
    days = _ordinal(year, month, int(parts.get("day") or 1))
    clock = _microseconds(parts) if parts.get("hour") else 0
    if days is None or clock is None:
        return None
    found = (days * MICROSECONDS_PER_DAY + clock) / MICROSECONDS_PER_DAY
    return found if FIRST_DAY <= found < LAST_DAY + 1 else None


def _ordinal(year: int, month: int, day: int) -> float | None:
    try:
        return float(date(year, month, day).toordinal() - EPOCH.toordinal())
    except ValueError:
        return None


def _microseconds(parts: dict[str, str | None]) -> int | None:
    """Of the time of day, in UTC; None where a clock never shows it."""
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    if half := parts["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "pP" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    fraction = int((parts["fraction"] or "").ljust(6, "0")[:6])
    offset = 0
    if zone := parts["zone"]:
        offset = int(zone[1:3]) * 3600 + int(zone[3:].lstrip(":") or 0) * 60
        offset = -offset if zone[0] == "-" else offset
    return (hour * 3600 + minute * 60 + second - offset) * 1_000_000 + fraction
