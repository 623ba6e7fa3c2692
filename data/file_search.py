"""Searches files for addresses: `python -m data.file_search`, in a process of its own.

Not in the service's: whoever opens and closes a file of SQLite beside SQLite takes the locks from it that this process has
(https://www.sqlite.org/howtocorrupt.html, 2.2). What is looked for comes by standard input: arguments are there for all to see.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from data.domain.mention import LONGEST_DOMAIN, LONGEST_LOCAL, Mentions, normal, parts_of

ROOT = Path(__file__).resolve().parent.parent  # not from the settings, which take ten times as long to load
DATABASES = (".db", ".db-wal", ".db-journal")
CHUNK_BYTES = 8 * 1024 * 1024
# Longer than any address, however it is written: as `\u0040`, a character takes six.
AROUND = 6 * (LONGEST_LOCAL + LONGEST_DOMAIN)


def search(paths: Iterable[Path], addresses: Iterable[str]) -> list[Path]:
    """The files that have one of the addresses.

    In a file of SQLite nothing stands between two values: there bytes that are alike count, and be it in a longer address.
    """
    asked = {"paths": [str(path) for path in paths], "addresses": sorted(addresses)}
    if not asked["paths"] or not asked["addresses"]:
        return []
    command = [sys.executable, "-m", "data.file_search"]
    done = subprocess.run(command, input=json.dumps(asked).encode(), capture_output=True, check=True, cwd=ROOT)
    return [Path(path) for path in json.loads(done.stdout)]


def has(chunks: Iterable[bytes], addresses: Sequence[str], *, whole: bool) -> bool:
    """Whether the bytes have one of the addresses; each chunk begins with the end of the one before."""
    mentions = Mentions({normal(address): "" for address in addresses})
    parts = [(local.encode(), domain.encode()) for address in addresses for local, domain in parts_of(address)]
    for chunk in chunks:
        small = chunk.lower()
        for local, domain in parts:
            if not whole and local + b"@" + domain in small:
                return True
            if whole and any(mentions.are_in(window) for window in _windows(chunk, small, local)):
                return True
    return False


def _windows(chunk: bytes, small: bytes, local: bytes) -> Iterator[str]:
    place = small.find(local.lower())
    while place >= 0:
        yield chunk[max(0, place - AROUND) : place + AROUND].decode("utf-8", "replace")
        place = small.find(local.lower(), place + AROUND // 2)


def _chunks(path: Path) -> Iterator[bytes]:
    before = b""
    with path.open("rb") as handle:
        while read := handle.read(CHUNK_BYTES):
            yield before + read
            before = read[-AROUND:]


def main() -> None:
    asked = json.load(sys.stdin)
    there = [Path(path) for path in asked["paths"] if Path(path).is_file()]  # others may have gone since they were listed
    found = [path for path in there if has(_chunks(path), asked["addresses"], whole=not path.name.endswith(DATABASES))]
    sys.stdout.write(json.dumps([str(path) for path in found]))


if __name__ == "__main__":
    main()
