"""What is done to a good value, so that it is good no more: to JSON, and to its bytes. Drawn from a seed."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

NUMBERS: tuple[Any, ...] = (0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**40, 0.1, -0.0, 1e308, 1e-320)
TEXTS: tuple[Any, ...] = (
    "", " ", "0", "null", "NaN", "\x00", "a\x00b", "\ud800", "\u202e", "é" * 300, "=1+1", "'; DROP TABLE events; --",
    "<script>alert(1)</script>", "../../etc/passwd", "%00",
)  # fmt: skip
MOMENTS: tuple[Any, ...] = (
    "2026-13-45T99:99:99Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-31", 1772452800, 1772452800000,
)  # fmt: skip
BOUNDARIES: tuple[Any, ...] = (None, True, False, *NUMBERS, *TEXTS, *MOMENTS, [], {}, [[]], {"": ""})
LONG = 20_000
DEEP = 3_000


def boundary(draw: random.Random) -> Any:
    """A value that is often forgotten; the caller's own, to do with as it likes."""
    return copy.deepcopy(draw.choice(BOUNDARIES))


def json_value(draw: random.Random, value: Any) -> Any:
    """The same with one to three places changed."""
    changed = copy.deepcopy(value)
    for _ in range(draw.randint(1, 3)):
        changed = _once(draw, changed)
    return changed


def body(draw: random.Random, value: Any) -> bytes:
    """A value as bytes, at times not quite as JSON has it."""
    whole = json.dumps(value, ensure_ascii=draw.random() < 0.8, allow_nan=True).encode("utf-8", "surrogatepass")
    return BYTES[draw.randrange(len(BYTES))](draw, whole) if draw.random() < 0.3 else whole


def _once(draw: random.Random, value: Any) -> Any:
    if isinstance(value, dict) and value and draw.random() < 0.8:
        name = draw.choice(list(value))
        match draw.randrange(5):
            case 0:
                del value[name]
            case 1:
                value[draw.choice((*TEXTS, "x" * 300))] = value[name]
            case 2:
                value[name] = boundary(draw)
            case _:
                value[name] = _once(draw, value[name])
        return value
    if isinstance(value, list) and value and draw.random() < 0.8:
        place = draw.randrange(len(value))
        match draw.randrange(5):
            case 0:
                del value[place]
            case 1:
                value.insert(place, boundary(draw))
            case 2:
                value += [value[place]] * draw.randint(1, 200)
            case _:
                value[place] = _once(draw, value[place])
        return value
    return boundary(draw)


def _cut(draw: random.Random, whole: bytes) -> bytes:
    return whole[: draw.randrange(len(whole) + 1)]


def _flip(draw: random.Random, whole: bytes) -> bytes:
    changed = bytearray(whole or b" ")
    for _ in range(draw.randint(1, 8)):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed)


def _insert(draw: random.Random, whole: bytes) -> bytes:
    place = draw.randrange(len(whole) + 1)
    return (
        whole[:place]
        + draw.choice((b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"NaN", b"1e999", b"\\ud800", b"}{", b","))
        + whole[place:]
    )


def _deep(_draw: random.Random, whole: bytes) -> bytes:
    return b"[" * DEEP + whole + b"]" * DEEP


def _long(draw: random.Random, whole: bytes) -> bytes:
    return whole.replace(b'"', b'"' + bytes([draw.randrange(97, 123)]) * LONG, 1)


def _twice(_draw: random.Random, whole: bytes) -> bytes:
    return whole + whole


BYTES: tuple[Callable[[random.Random, bytes], bytes], ...] = (_cut, _flip, _insert, _deep, _long, _twice)
