"""Secrets are found by value in every form they are written in, and by their looks where nobody has named them."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import log, redaction
from data.redaction import REDACTED, SHORTEST, redacted

Write = Callable[[str], str]
Written = Callable[..., str]
SECRETS = ["s3cr3t-t0ken-value", 'with "quotes" and \\', "with/slash:and@at", "wört & spaß", "tab\tand\nline"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "write", [str, repr, json.dumps, quote, lambda text: urlencode({"q": text}), lambda text: json.dumps({"a": [text]})]
)
def test_a_hidden_value_is_found_in_every_form(secret: str, write: Write) -> None:
    redaction.hide([secret])
    found = redacted(f"before {write(secret)} after")
    assert found.startswith("before ")
    assert found.endswith(" after")
    assert REDACTED in found
    assert not any(part in found for part in re.split(r"[^\w]+", secret) if len(part) > 4)


def test_one_that_holds_another_is_replaced_whole() -> None:
    redaction.hide(["abcdef", "abcdef-ghijkl"])
    assert redacted("abcdef-ghijkl") == REDACTED


@given(st.text(max_size=SHORTEST - 1))
def test_what_is_too_short_is_left_in_ordinary_words(value: str) -> None:
    before = redaction._hidden
    redaction.hide([value])
    assert redaction._hidden == before


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("leadloop_" + "a1B2_-" * 7 + "x", REDACTED),
        ("Authorization: Bearer abc-12345678", f"Authorization: Bearer {REDACTED}"),
        ("BASIC no, basic dXNlcjpwYXNz=", f"BASIC no, basic {REDACTED}"),
        ("postgresql+psycopg://me:pa55@db:5432/x", f"postgresql+psycopg://me:{REDACTED}@db:5432/x"),
        ("GET /v1/persons?api_token=0a1b2c&limit=1", f"GET /v1/persons?api_token={REDACTED}&limit=1"),
        ("?hapikey=0a1b2c", f"?hapikey={REDACTED}"),
        ("?access_token=0a1b2c", f"?access_token={REDACTED}"),
        ("xoxb-1234567890-abcdef", REDACTED),
        ("pat-eu1-01234567-89ab-cdef-0123-456789abcdef", REDACTED),
    ],
)
def test_what_looks_like_a_secret_is_one(text: str, left: str) -> None:
    assert redacted(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "HTTP Basic credentials are missing or wrong",
        "a bearer token is missing: send Authorization: Bearer TOKEN",
        "http://127.0.0.1:8000/score?limit=3",
        "sqlite:////srv/leadloop.db",
        "leadloop_scores and predicted_score",
        "postgresql://me@db/x",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redacted(text) == text


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    """What is logged, in either form; the handlers are as before afterwards."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level

    def write(*, as_json: bool, what: Callable[[], object]) -> str:
        path = tmp_path / f"{as_json}.log"
        with path.open("w") as stream:
            log.configure(json=as_json)
            handler = root.handlers[0]
            assert isinstance(handler, logging.StreamHandler)
            handler.setStream(stream)
            what()
        return path.read_text()

    yield write
    root.handlers[:] = before
    root.setLevel(level)


def fail(secret: str) -> None:
    local = {"Authorization": secret}
    raise ValueError(f"{local} was refused")


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("secret", SECRETS)
def test_no_line_and_no_traceback_tells_it_whoever_logs(written: Written, as_json: bool, secret: str) -> None:
    redaction.hide([secret])

    def work() -> None:
        ours = log.get_logger("ours")
        ours.info("a.thing.happened", reason=f"it said {secret}", nested={"inner": [secret]}, count=1)
        logging.getLogger("theirs").warning("the header was %s", secret)
        try:
            fail(secret)
        except ValueError as error:
            ours.exception("a.thing.failed")
            logging.getLogger("theirs").error("failed", exc_info=error)
            logging.getLogger("theirs").error("%s %s", secret)  # noqa: PLE1206 a line that cannot be made

    text = written(as_json=as_json, what=work)
    assert text.count(REDACTED) >= 5
    assert "a.thing.happened" in text
    assert "could not be written" in text
    assert not any(part in text for part in re.split(r"[^\w]+", secret) if len(part) > 4)
    if as_json:
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        assert len(lines) == 4
        assert lines[0]["count"] == 1


def test_a_request_cannot_forge_a_line_nor_steer_a_terminal(written: Written) -> None:
    evil = "/x\n2026 [error] forged\r\x1b[2J\x9b31m\u202e"
    text = written(as_json=False, what=lambda: log.get_logger("ours").info("api.request.done", path=evil))
    assert len(text.splitlines()) == 1
    assert "\x1b[2J" not in text
    assert not set(text) & set("\r\x9b\u202e")
