"""What a table of text is separated and quoted with, found from its first lines."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

SEPARATOR_WORDS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SAMPLE_CHARACTERS = 256 * 1024
# Of the lines that a separator must cut into as many cells as the first one, to be taken for it.
MOST_LINES = 0.9
# Of the cells, to take the apostrophe for the quotation mark: names begin with one now and then, whole columns do not.
QUOTED_CELLS = 0.1
EXCEL_HINT = re.compile(r'"?sep=([,;\t|])"?\r?\n')
LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True)
class Dialect:
    """How cells are told apart. `escapes`: a backslash before a quotation mark, as MySQL writes it."""

    separator: str
    quote: str = '"'
    spaced: bool = False
    escapes: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether Polars reads it; the others go through Python's reader."""
        return not self.spaced and not self.escapes

    @property
    def separator_word(self) -> str:
        return SEPARATOR_WORDS[self.separator]

    @property
    def words(self) -> str:
        marks = {"'": ", quoted with apostrophes"}.get(self.quote, "") + (", quotes escaped by \\" if self.escapes else "")
        return f"{self.separator_word}-separated{marks}"


def find_dialect(text: str) -> tuple[Dialect, int]:
    """The dialect, and where the table starts: after blank lines and Excel's `sep=;`."""
    start = len(text) - len(text.lstrip("\r\n"))
    if hint := EXCEL_HINT.match(text, start):
        return _quoting(text[hint.end() : hint.end() + SAMPLE_CHARACTERS], hint[1]), hint.end()
    sample = text[start : start + SAMPLE_CHARACTERS]
    whole = start + len(sample) == len(text)
    scores = {separator: _score(sample, separator, whole=whole) for separator in SEPARATOR_WORDS}
    return _quoting(sample, max(scores, key=lambda separator: scores[separator])), start


def records(text: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """The cells of each record, and the line (from 1) that it begins on; a blank line has no cells.

    Raises:
        csv.Error: what no table holds; its message names the line.
    """
    reader = csv.reader(
        (line[0] for line in LINE.finditer(text)),
        delimiter=dialect.separator,
        quotechar=dialect.quote,
        skipinitialspace=dialect.spaced,
        escapechar="\\" if dialect.escapes else None,
        doublequote=not dialect.escapes,
    )
    begin = 1
    try:
        for row in reader:
            yield begin, row
            begin = reader.line_num + 1
    except csv.Error as error:
        raise csv.Error(f"line {begin:,}: {error}") from None


def _score(sample: str, separator: str, *, whole: bool) -> tuple[bool, float, int]:
    """Better is greater: cuts at all, cuts (nearly) all lines alike, and into more cells."""
    width, alike = _cut(sample, Dialect(separator), whole=whole)
    return width > 1, 1.0 if alike >= MOST_LINES else alike, width


def _cut(sample: str, dialect: Dialect, *, whole: bool = False) -> tuple[int, float]:
    """Into how many cells the first line is cut, and the share of all lines that are cut alike."""
    try:
        rows = [row for _, row in records(sample, dialect) if row]
    except csv.Error:
        return 0, 0.0
    if not whole and len(rows) > 1:
        rows.pop()  # the sample may end within it
    width = len(rows[0]) if rows else 0
    return width, sum(len(row) == width for row in rows) / max(len(rows), 1)


def _quoting(sample: str, separator: str) -> Dialect:
    mark = re.escape(separator)
    parts = re.findall(f"[^{mark}\n]+", sample)
    in_apostrophes = sum(len(part) > 1 and part.strip()[:1] == part.strip()[-1:] == "'" for part in parts)
    spaced = re.search(f'{mark} +"[^"\n]*"\\s*(?:{mark}|\r?$)', sample, re.MULTILINE) is not None
    plain = Dialect(separator, quote="'" if in_apostrophes > QUOTED_CELLS * len(parts) else '"', spaced=spaced)
    # Within a cell a quotation mark is doubled, or else it is escaped; "C:\\" ends a cell.
    if re.search(rf'\\"(?!["\r\n{mark}]|$)', sample) is None:
        return plain
    escaping = replace(plain, escapes=True)
    return escaping if _cut(sample, escaping)[1] >= _cut(sample, plain)[1] else plain
