"""A file is read whatever it is packed, encoded, separated and quoted with; what is no table is said, with the line."""

import csv
import gzip
import io
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from data.errors import BadInput
from ml.features.inputs import InputKind, typed_frame
from ml.tables.column_kinds import find_kinds
from ml.tables.table_file import read_frame

CITIES = ("Köln", "Århus", "Paris; France", "Łódź, Poland", 'The "Hague"', "a|b", "tab\there")
WESTERN = ("Köln", "Århus", "Paris; France", "Lodz, Poland", 'The "Hague"', "a|b", "tab\there")
NOTES = "called {} times about the offer and will decide after\nthe holidays"
TRUTH = pl.DataFrame(
    {
        "größe": [round(1000 * (n * 0.37 % 7) - 900.25, 2) for n in range(60)],
        "visits": [float(n % 7) for n in range(60)],
        "created": [float(20_000 + n) + 0.25 * (n % 4) for n in range(60)],
        "Stadt": [WESTERN[n % 7] for n in range(60)],
        "note": [None if n == 7 else NOTES.format(n) for n in range(60)],
        "member": [None if n % 9 == 4 else float(n % 2) for n in range(60)],
    }
)
BYTES = {"utf-8": "utf-8", "utf-8-sig": "utf-8-sig", "utf-16": "utf-16", "utf-16-le": "utf-16-le", "cp1252": "cp1252"}


def as_written(decimal: str, dates: str) -> list[list[str]]:
    """The truth as cells of text: money with thousands marks, dates in a form, words for true and false."""
    thousands = {",": ".", ".": ","}[decimal]
    swap = str.maketrans({",": thousands, ".": decimal})
    epoch = datetime(1970, 1, 1)
    return [
        [
            f"{size:,.2f}".translate(swap),
            f"{visits:.0f}",
            (epoch + timedelta(days=created)).strftime(dates),
            city,
            note or "",
            {1.0: "Ja", 0.0: "Nein", None: "n/a"}[member],
        ]
        for size, visits, created, city, note, member in TRUTH.rows()
    ]


def table(rows: list[list[str]], separator: str = ",", ending: str = "\r\n", **options: Any) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=ending, **options).writerows([TRUTH.columns, *rows])
    return text.getvalue()


def packed(content: bytes, packing: str) -> bytes:
    if packing == "gzip":
        return gzip.compress(content)
    if packing == "zip":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("export/leads.csv", content)
            archive.writestr("__MACOSX/._leads.csv", b"\x00")
        return file.getvalue()
    return content


def written(folder: Path, content: str | bytes, name: str = "leads.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def typed(path: Path) -> pl.DataFrame:
    frame, _ = read_frame(path)
    return typed_frame([found.input for found in find_kinds(frame) if found.input is not None], frame)


@pytest.mark.parametrize("packing", ["", "gzip", "zip"])
@pytest.mark.parametrize("encoding", BYTES)
@pytest.mark.parametrize(("separator", "decimal"), [(",", "."), (";", ","), ("\t", ","), ("|", "."), (",", ",")])
def test_the_same_table_in_any_dialect_is_the_same_typed_frame(
    tmp_path: Path, separator: str, decimal: str, encoding: str, packing: str
) -> None:
    dates = {".": "%m/%d/%Y %H:%M", ",": "%d.%m.%Y %H:%M"}[decimal]
    content = table(as_written(decimal, dates), separator).encode(BYTES[encoding])
    assert_frame_equal(typed(written(tmp_path, packed(content, packing))), TRUTH, check_exact=True)


@pytest.mark.parametrize(
    "dates",
    [
        "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.000+0000", "%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M %p",
        "%d %b %Y %H:%M",
        "%Y/%m/%d %H:%M:%S",
    ],
)  # fmt: skip
def test_the_same_dates_in_any_form_are_the_same(tmp_path: Path, dates: str) -> None:
    assert_frame_equal(typed(written(tmp_path, table(as_written(".", dates)))), TRUTH)


@pytest.mark.parametrize(
    "options",
    [
        {"quoting": csv.QUOTE_ALL},
        {"quotechar": "'", "quoting": csv.QUOTE_NONNUMERIC},
        {"escapechar": "\\", "doublequote": False, "quoting": csv.QUOTE_ALL},
        {"ending": "\n"},
        {"ending": "\r"},
    ],
    ids=str,
)
def test_any_quoting_and_line_end_is_read(tmp_path: Path, options: dict[str, Any]) -> None:
    rows = as_written(".", "%Y-%m-%d %H:%M")
    if options.get("ending") == "\r":
        rows = [[cell.replace("\n", " ") for cell in row] for row in rows]
        wanted = TRUTH.with_columns(pl.col("note").str.replace("\n", " "))
    else:
        wanted = TRUTH
    assert_frame_equal(typed(written(tmp_path, table(rows, **options))), wanted)


def test_parquet_is_the_same_typed_frame_as_text(tmp_path: Path) -> None:
    moments = (pl.col("created") * 86_400_000).cast(pl.Int64).cast(pl.Datetime("ms", "UTC"))
    frame = TRUTH.with_columns(moments, pl.col("member").cast(pl.Boolean), pl.col("Stadt").cast(pl.Categorical))
    path = tmp_path / "leads"
    frame.write_parquet(path)
    assert_frame_equal(typed(path), TRUTH)


def test_parquet_s_other_types_become_simple_ones_or_are_left_out_and_named(tmp_path: Path) -> None:
    path = tmp_path / "leads.parquet"
    frame = pl.DataFrame({"money": [1, 2], "wait": [90, 30], "tags": [["a"], ["b"]], "raw": [b"1", b"2"], "ok": [True, None]})
    frame.with_columns(pl.col("money").cast(pl.Decimal(10, 2)), pl.col("wait").cast(pl.Duration("ms"))).write_parquet(path)
    found, notes = read_frame(path)
    assert found.to_dict(as_series=False) == {"money": [1.0, 2.0], "wait": [0.09, 0.03], "ok": [True, None]}
    assert "tags, raw left out" in notes[1]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r", exclude_categories=["Cc", "Cs"]), max_size=8)


@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_what_a_writer_writes_is_read_back(tmp_path_factory: Any, rows: list[list[str]], separator: str, quoting: Any) -> None:
    rows = [["x", *row[1:]] for row in rows]  # a line that is all blank is no row
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n", quoting=quoting).writerows([["one", "two", "three"], *rows])
    frame, _ = read_frame(written(tmp_path_factory.mktemp("tables"), text.getvalue()))
    assert [[cell or "" for cell in row] for row in frame.rows()] == rows


def test_what_was_found_is_said(tmp_path: Path) -> None:
    _, notes = read_frame(written(tmp_path, gzip.compress(table(as_written(",", "%d.%m.%Y"), ";").encode("cp1252"))))
    assert notes == ("60 rows, 6 columns; gzip, semicolon-separated, Windows-1252",)


def test_a_few_bad_bytes_do_not_spoil_the_other_letters(tmp_path: Path) -> None:
    content = "city,won\nKöln,1\nMünchen,0\nZürich,1\n".encode() + b"K\xf6ln,1\n"
    frame, notes = read_frame(written(tmp_path, content))
    assert frame["city"].to_list() == ["Köln", "München", "Zürich", "K\ufffdln"]
    assert "1 damaged characters" in notes[1]


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("sep=;\na;b\n1,5;2\n", ["a", "b"], [("1,5", "2")]),
        ("\n\na,b\n1,2\n\n3,4\n\n", ["a", "b"], [("1", "2"), ("3", "4")]),
        ("a,b,\n1,2,\n", ["a", "b", "column_3"], [("1", "2", None)]),
        ("a,b\n1,2,\n3,4,,\n", ["a", "b"], [("1", "2"), ("3", "4")]),
        (" a , b\n1,2\n", ["a", "b"], [("1", "2")]),
        ('a, b\n1, "x, y"\n2, "z"\n', ["a", "b"], [("1", "x, y"), ("2", "z")]),
        ('a,b\n"q"z,3\nx"y,2\n', ["a", "b"], [("qz", "3"), ('x"y', "2")]),
        ("a,b\n1,2\n,\n\x1a", ["a", "b"], [("1", "2")]),
        ("only\n1\n\n2\n", ["only"], [("1",), ("2",)]),
    ],
)
def test_habits_of_other_programs_are_understood(tmp_path: Path, text: str, names: list[str], rows: list[Any]) -> None:
    frame, _ = read_frame(written(tmp_path, text))
    assert (frame.columns, frame.rows()) == (names, rows)


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


GOOD = table(as_written(".", "%Y-%m-%d"))
PARQUET = io.BytesIO()
TRUTH.write_parquet(PARQUET)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"day,won\n", "no rows, only the names of 2 columns"),
        (b"day,won\n1,2\n1,2,3,4\n", "line 3 has 4 cells where the first line names 2"),
        (b"day,won,x\n\n1,2,\n1,2\n", "line 4 has 2 cells where the first line names 3"),
        (b'day,won\n1,2\n"open,2\n3,4\n', "line 3 has 1 cells where the first line names 2"),
        (b'sep=;\na;b\n"x\ny";2\n3;4;5\n', "line 5 has 3 cells where the first line names 2"),
        (b"won,day,won\n1,2,3\n", "two columns are called 'won'"),
        (b"won ,day, won\n1,2,3\n", "two columns are called 'won'"),
        (gzip.compress(GOOD.encode())[:-20], "the gzip file is damaged"),
        (gzip.compress(GOOD.encode())[:200] + b"\x00" * 100, "the gzip file is damaged"),
        (b"\x1f\x8b that is no gzip file", "the gzip file is damaged"),
        (zipped(a=b"a,b\n1,2\n", b=b"a,b\n1,2\n"), "the zip file holds 2 files"),
        (zipped(a=b"a,b\n1,2\n")[:40], "the zip file cannot be opened"),
        (zipped(**{"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "an Excel workbook; save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
        (b"%PDF-1.7 ...", "a PDF"),
        (PARQUET.getvalue()[:-30], "the Parquet file is damaged"),
        (b"PAR1" + b"\x00" * 60 + b"PAR1", "the Parquet file is damaged"),
        (bytes(range(256)) * 20, "something binary"),
        (b"a,b\n1,\x00\n", "something binary"),
        (b"\xff\xfea\x00,\x00\x00\xd8", "not valid utf-16"),
        (b'[{"a": 1}, {"a": 2}]', "JSON"),
        (b"<!DOCTYPE html><table><tr><td>1</td></tr></table>", "a web page"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_table_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=r"leads\.csv") as refused:
        read_frame(written(tmp_path, content))
    assert said in refused.value.detail


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_an_error_that_names_the_file(tmp_path_factory: Any, content: bytes) -> None:
    path = written(tmp_path_factory.mktemp("tables"), content)
    try:
        frame, _ = read_frame(path)
    except BadInput as error:
        assert str(path) in error.detail  # noqa: PT017
    else:
        assert len(frame)


@pytest.mark.parametrize(("name", "said"), [("nowhere.csv", "no such file"), (".", "this is a folder")])
def test_a_missing_file_is_said(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_frame(tmp_path / name)


def test_kinds_of_the_truth(tmp_path: Path) -> None:
    frame, _ = read_frame(written(tmp_path, GOOD))
    kinds = [found.input.kind for found in find_kinds(frame) if found.input is not None]
    assert kinds == [InputKind.NUMBER, InputKind.NUMBER, InputKind.DATE, InputKind.CATEGORY, InputKind.TEXT, InputKind.BOOLEAN]
