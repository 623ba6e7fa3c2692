"""How the columns of one file write their numbers and dates: decimal commas, thousands marks, units, day or month first."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ml.features.date_text import DateForm
from ml.features.number_text import GAPS, SIGNS, THOUSANDS_MARKS

UNIT = re.compile(r"€|\$|£|¥|₹|%|EUR|USD|GBP|CHF")
UNIT_SHARE = 0.5
LAST_MONTH = 12
YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2[0-9]{2,4}(?![0-9])")
GROUPED = {mark: re.compile(rf"[1-9][0-9]{{0,2}}(?:[{mark}][0-9]{{3}})+") for mark in ".,"}
GAP = {mark: re.compile(f"[0-9][{THOUSANDS_MARKS[mark]}][0-9]{{3}}") for mark in " '"}
AROUND = GAPS + SIGNS.replace("\\", "")


@dataclass(frozen=True)
class Marks:
    """What `Input` says of a NUMBER."""

    decimal: str = "."
    thousands: str = ""
    unit: str = ""

    @property
    def words(self) -> str:
        """For people; '' where there is nothing to say."""
        names = {".": "points", ",": "commas", " ": "spaces", "'": "apostrophes"}
        parts = [
            "a decimal comma" if self.decimal == "," else "",
            f"{names[self.thousands]} between thousands" if self.thousands else "",
            self.unit,
        ]
        return " and ".join(filter(None, parts)).join(("written with ", "")) if any(parts) else ""


def find_marks(texts: Sequence[str], file_decimal: str | None) -> tuple[Marks, str | None]:
    """The marks that different trimmed texts of a column suggest, and the decimal mark they would prove ('.', ',' or None).

    Where 1,234 (or 1.234) could be either, what the file's other columns prove decides; else a comma is for thousands and a
    point for decimals, as programs write it.
    """
    units = Counter(found[0] for text in texts if (found := UNIT.search(text)))
    unit = next((unit for unit, count in units.most_common(1) if count > UNIT_SHARE * len(texts)), "")
    bare = [text.replace(unit, "").strip(AROUND) for text in texts]
    bare = [text for text in bare if text[:1].isdigit() or text[:1] in {".", ","}]
    gap = next((mark for mark, pattern in GAP.items() if any(map(pattern.search, bare))), "")
    commas, points = [text for text in bare if "," in text], [text for text in bare if "." in text]
    if not commas and not points:
        return Marks(thousands=gap, unit=unit), None
    decimal, between, proof = _decide(commas, points, file_decimal)
    return Marks(decimal, gap or between, unit), proof


def doubt(texts: Sequence[str], marks: Marks, file_decimal: str | None) -> str:
    """The note on numbers such as 1.250, which are read as 1.25 where nothing in the file proves what the point means; else ''."""
    points = [text for text in texts if "." in text]
    if file_decimal is not None or marks.decimal != "." or marks.thousands or not points or not _grouped(points, "."):
        return ""
    return f"{points[0]!r} is read as {float(points[0]):g}: if it is {points[0].replace('.', '')}, write it without the point"


def proven_decimal(proofs: Iterable[str | None]) -> str | None:
    """The decimal mark of a file, from what its columns prove; None where they contradict each other or say nothing."""
    proven = set(proofs) - {None}
    return proven.pop() if len(proven) == 1 else None


def find_date_form(texts: Sequence[str]) -> tuple[DateForm, str]:
    """The form that a column of dates has, and a note where it is not the plain one. A number above 12 is no month."""
    dates = [found for text in texts if (found := YEAR_LAST.match(text))]
    if not dates:
        return DateForm.ISO, ""
    first, second = (sum(int(date[place]) > LAST_MONTH for date in dates) for place in (1, 3))
    if second > first:
        return DateForm.MONTH_FIRST, "dates with the month first"
    if first or all(date[2] == "." for date in dates):  # nobody writes 12.31.2026
        return DateForm.DAY_FIRST, "dates with the day first"
    return DateForm.DAY_FIRST, "dates that could have the day or the month first: the day is taken; 2026-01-31 cannot be mistaken"


def _decide(commas: Sequence[str], points: Sequence[str], file_decimal: str | None) -> tuple[str, str, str | None]:
    """Decimal mark, thousands mark and the proven decimal mark, from the texts that hold commas and those that hold points."""
    both = [text for text in commas if "." in text]
    if both:
        comma_last = sum(text.rindex(",") > text.rindex(".") for text in both)
        return (",", ".", ",") if 2 * comma_last > len(both) else (".", ",", ".")
    if not points:
        return _one_mark(commas, ",", ".", file_decimal or ".")
    if not commas:
        return _one_mark(points, ".", ",", file_decimal or ".")
    if _grouped(commas, ","):
        return ".", ",", "."
    return ",", "." if _grouped(points, ".") else "", ","


def _one_mark(texts: Sequence[str], mark: str, other: str, file_decimal: str) -> tuple[str, str, str | None]:
    if not _grouped(texts, mark):
        return mark, "", mark
    if any(text.count(mark) > 1 for text in texts):
        return other, mark, other
    return (mark, "", None) if file_decimal == mark else (other, mark, None)


def _grouped(texts: Sequence[str], mark: str) -> bool:
    """Whether the mark stands between groups of three only, as thousands marks do: 1.234 but not 0.123 or 1.5."""
    return all(map(GROUPED[mark].fullmatch, texts))
