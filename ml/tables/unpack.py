"""From a file's bytes to its content: out of gzip or zip, and from bytes to text in whatever encoding they are."""

import gzip
import io
import re
import zipfile
import zlib
from pathlib import Path

from data.errors import BadInput

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = b"PK\x03\x04"
WORKBOOK_PART = "[Content_Types].xml"
SAVE_AS = "save it as CSV (UTF-8) or Parquet"
# What people hand over in place of a table, by its first bytes.
OTHER_FORMATS = {
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"7z\xbc\xaf": "a 7z archive",
    b"SQLite format 3": "an SQLite database",
}
BYTE_ORDER_MARKS = {  # UTF-32 before UTF-16, whose mark it begins with
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
MARKUP = re.compile(r"\s*<(?:!doctype|html|\?xml|table)", re.IGNORECASE)
JSON = re.compile(r'\s*(?:\{\s*"|\[\s*[\[{])')
# All control characters but tab, line ends, form feed and the end-of-file mark of DOS.
CONTROL = re.compile("[\x00-\x08\x0e-\x19\x1b-\x1f]")
LOOKED_AT = 64 * 1024
MOST_CONTROL = 0.01


def unpacked(path: Path) -> tuple[bytes, str]:
    """The content of a file, and how it was packed ('' if not).

    Raises:
        BadInput: not there, not readable, damaged, or an archive of anything but one file.
    """
    if path.is_dir():
        raise BadInput(f"{path}: this is a folder; name the file in it")
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}; see to it that you may read the file") from None
    if content.startswith(GZIP_MAGIC):
        try:
            return gzip.decompress(content), "gzip"
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput(f"{path}: the gzip file is damaged ({error}); copy or export it again") from None
    if content.startswith(ZIP_MAGIC):
        return _only_member(path, content), "zip"
    for magic, what in OTHER_FORMATS.items():
        if content.startswith(magic):
            raise BadInput(f"{path}: this is {what}; {SAVE_AS}, also with gzip")
    return content, ""


def decoded(path: Path, content: bytes) -> tuple[str, str, list[str]]:
    """The text, the encoding that was found, and a note where characters were damaged.

    Without a byte order mark: UTF-8 if all of it is valid, else Windows-1252, in which nearly any bytes are.

    Raises:
        BadInput: no text.
    """
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark)), None) or _unmarked(content)
    damage: list[str] = []
    try:
        text = content.decode(encoding or "utf-8")
        encoding = {"utf-8-sig": "utf-8", None: "utf-8"}.get(encoding, encoding)
    except UnicodeDecodeError as error:
        if encoding not in {None, "utf-8-sig"}:
            raise BadInput(f"{path}: not valid {encoding} at byte {error.start:,}; {SAVE_AS}") from None
        text, encoding, damage = _not_quite_utf8(content)
    _refuse_other(path, text[:LOOKED_AT])
    if "\n" not in text and "\r" in text:
        text = text.replace("\r", "\n")  # as Macs wrote before 2001, and Excel for Mac still offers
    return text.rstrip("\r\n\x1a"), str(encoding).upper().replace("CP", "Windows-"), damage


def _only_member(path: Path, content: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
            if WORKBOOK_PART in names:
                raise BadInput(f"{path}: this is an Excel workbook; {SAVE_AS}")
            if len(names) != 1:
                raise BadInput(f"{path}: the zip file holds {len(names)} files ({', '.join(names[:5])}); give it one table")
            return archive.read(names[0])
    except (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise BadInput(f"{path}: the zip file cannot be opened ({error}); copy or export it again") from None


def _unmarked(content: bytes) -> str | None:
    """UTF-16 without a mark: one byte of each pair is often zero, the other never, and lines and cells come out."""
    sample = content[:LOOKED_AT]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if even == odd == 0 or (even and odd):
        return None
    encoding = "utf-16-le" if odd else "utf-16-be"
    text = sample.decode(encoding, "ignore")
    return encoding if "\n" in text and any(separator in text for separator in ",;\t|") else None


def _not_quite_utf8(content: bytes) -> tuple[str, str, list[str]]:
    """UTF-8 with a few bad bytes in it, if most of what is not ASCII is valid; else one byte per character."""
    mended = content.decode("utf-8-sig", "replace")
    bad = mended.count("\ufffd")
    beyond_ascii = len(mended) - len(mended.encode("ascii", "ignore"))
    if beyond_ascii > 2 * bad:
        return mended, "utf-8", [f"{bad:,} damaged characters were replaced by \ufffd; save the file as UTF-8 to mend them"]
    try:
        return content.decode("cp1252"), "cp1252", []
    except UnicodeDecodeError:
        return content.decode("latin-1"), "latin-1", []


def _refuse_other(path: Path, sample: str) -> None:
    if len(CONTROL.findall(sample)) > MOST_CONTROL * len(sample) or "\0" in sample:
        raise BadInput(f"{path}: this is no table of text, but something binary; {SAVE_AS}")
    for pattern, what in ((MARKUP, "a web page or XML"), (JSON, "JSON")):
        if pattern.match(sample):
            raise BadInput(f"{path}: this is {what}, no table; {SAVE_AS}")
