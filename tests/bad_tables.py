"""Tables as people hand them over: a good one, and what can be wrong with it. Each is the bytes of a file."""

import csv
import gzip
import io
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

ROWS = 60
WIDE, WIDE_ROWS = 2_000, 760  # fewer rows, and validation goes over them several times
LONG_TEXT = 100_000  # bytes

Row = dict[str, Any]


def rows(count: int = ROWS, *, seed: int = 0) -> list[Row]:
    """Visits, a source and a budget, and who was won: more visits, more often."""
    generator = np.random.default_rng(seed)
    return [
        {
            "visits": visits,
            "source": str(generator.choice(["Web", "Event", "Cold call"])),
            "budget": round(float(generator.normal(50, 20)), 1),
            "won": "Won" if generator.random() < visits / 25 else "Lost",
        }
        for visits in generator.integers(0, 21, count).tolist()
    ]


def file_of(table: list[Row], separator: str = ",") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue().encode()


def changed(change: Callable[[int], Row], count: int = ROWS) -> bytes:
    """The good table with some cells of each row replaced, or added."""
    return file_of([row | change(place) for place, row in enumerate(rows(count))])


def wide() -> bytes:
    numbers = np.random.default_rng(1).normal(size=(WIDE_ROWS, WIDE)).round(1)
    names = [f"c{number}" for number in range(WIDE)]
    return file_of([row | dict(zip(names, one, strict=True)) for row, one in zip(rows(WIDE_ROWS), numbers, strict=True)])


def workbook() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", "<worksheet/>")
    return packed.getvalue()


GOOD = file_of(rows())
JUNK = bytes(np.random.default_rng(0).integers(0, 256, 4_000, dtype=np.uint8))
ODD_NAMES = ("🦆 deals", 'the "real" one', "two\nlines", "[bold]x[/bold]", "<b>fat</b>", "=1+1", "\x1b[31mred")

# What no table can be read from, in training or in scoring: the file, and what is said.
UNREADABLE: Mapping[str, tuple[bytes, str]] = {
    "empty file": (b"", "the file is empty"),
    "blank lines only": (b"\n \n\n", "the file is empty"),
    "only a header": (b"visits,source,won\n", "no rows"),
    "header without any name": (GOOD.replace(b"visits,source,budget,won", b",,,"), "must hold the names of the columns"),
    "duplicate column names": (GOOD.replace(b"source", b"visits", 1), "two columns are called 'visits'"),
    "binary junk": (JUNK, "something binary"),
    "NUL bytes": (GOOD.replace(b"Web", b"W\0b"), "something binary"),
    "gz that is cut off": (gzip.compress(GOOD)[:-40], "damaged"),
    "xlsx renamed .csv": (workbook(), "Excel workbook"),
    "a web page": (b"<html><table><tr><td>1</td></tr></table></html>", "web page"),
    "a line too short": (GOOD + b"1,Web\n", "line 62 has 2 cells"),
}

# What can be read, and cannot teach.
UNTEACHABLE: Mapping[str, tuple[bytes, str]] = {
    "no target": (GOOD.replace(b"won", b"outcome", 1), "no column 'won'"),
    "header missing": (GOOD.split(b"\n", 1)[1], "no column 'won'"),
    "one class": (changed(lambda _: {"won": "Lost"}), "won: the target has one value only, lost (60 rows)"),
    "one row": (file_of(rows(1)), "add rows of the other outcome"),
    "target of many classes": (
        changed(lambda place: {"won": f"class {place % 7}"}),
        "won: the target must have two classes and has 7",
    ),
    "target numeric, continuous": (changed(lambda place: {"won": place * 1.25}), "as 1 above a limit and 0 below it"),
    "target of unknown words": (changed(lambda place: {"won": "ab"[place % 2]}), "cannot tell which is the outcome to predict"),
    "target without any label": (changed(lambda _: {"won": ""}), "won: the target has no value in any row"),
    "all columns missing or constant": (
        changed(lambda _: {"visits": "", "source": "Web", "budget": 3}),
        "visits left out: no values at all; source left out: one value only",
    ),
    "target alone": (b"won\n" + b"Won\nLost\n" * 30, "besides won the table needs columns"),
    "only columns that know the answer": (b"stage,won\n" + b"a,Won\nb,Lost\n" * 300, "stage: it is"),
}

# What teaches all the same, less well: the file, and the note that says so ("" where nothing is lost).
DEGRADED: Mapping[str, tuple[bytes, str]] = {
    "two rows": (b"visits,won\n1,Lost\n2,Won\n", "2 rows"),
    "five rows": (file_of(rows(5, seed=3)), "5 rows"),
    "target with missing labels": (
        changed(lambda place: {"won": ""} if place % 3 == 0 else {}),
        "20 rows without a label (nothing there) are left out",
    ),
    "all-missing and constant columns": (
        changed(lambda _: {"nothing": "", "same": "x"}),
        "nothing left out: no values at all|same left out: one value only",
    ),
    "header with one name missing": (GOOD.replace(b"visits", b"", 1), "so called column_1"),
    "mixed types": (
        changed(lambda place: {"visits": ["7", "seven", "2025-01-01", "yes", "8"][place % 5]}),
        "visits: a mixture: 40% of the values are numbers, others are not, as 'seven'",
    ),
    "infinite numbers": (
        changed(lambda place: {"visits": ["inf", "-inf"][place // 30]} if place in (3, 40) else {}),
        "visits: 2 of 60 values are no numbers and count as missing, as 'inf'",
    ),
    "10^300": (
        changed(lambda place: {"visits": "1e300"} if place in (3, 40) else {}),
        "visits: 2 of 60 values are no numbers and count as missing, as '1e300'",
    ),
    "a date in the future": (
        changed(lambda place: {"due": f"20{20 + place:02d}-05-01"}),
        "dates lie in the future (the last: 2079-05-01)",
    ),
    "texts of 100 kB": (
        changed(lambda place: {"note": f"call {place} about the price " * (LONG_TEXT // 26)}),
        "1 text: note",
    ),
    "odd names": (changed(lambda place: dict.fromkeys(ODD_NAMES, place * 7 % 11)), "🦆 deals"),
}  # fmt: skip
