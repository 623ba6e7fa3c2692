"""Local copies: whole or not there, whatever happens while they are made."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from data.errors import NotFound, NotReady
from ml import copies
from ml.training.gate import Decision
from tests.unit.test_version import card

CARD = card()


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def write(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "model.json").write_text(text)


def test_a_copy_replaces_another_as_a_whole(tmp_path: Path) -> None:
    for text in ("old", "new"):
        assert (copies.keep(tmp_path, CARD, write(text)) / "model.json").read_text() == text
    assert sorted(contents(tmp_path)) == ["lead_score/1/card.json", "lead_score/1/model.json"]


@pytest.mark.parametrize("before", [True, False])
def test_a_full_disk_leaves_what_was_there_and_says_so(tmp_path: Path, before: bool) -> None:
    if before:
        copies.keep(tmp_path, CARD, write("old"))
    was = contents(tmp_path)

    def full(folder: Path) -> None:
        (folder / "model.json").write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(NotReady, match=r"version 1 of lead_score cannot be kept in .*No space left on device"):
        copies.keep(tmp_path, CARD, full)
    assert contents(tmp_path) == was
    assert [path.name for path in (tmp_path / "lead_score").iterdir()] == (["1"] if before else [])


def test_a_fault_of_our_own_is_told_as_it_is_and_leaves_nothing(tmp_path: Path) -> None:
    def broken(_folder: Path) -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        copies.keep(tmp_path, CARD, broken)
    assert contents(tmp_path) == {}


def test_versions_are_listed_by_number_and_nothing_else_is_one(tmp_path: Path) -> None:
    for number in ("9", "10", "2"):
        copies.keep(tmp_path, CARD.model_copy(update={"version": number}), write("trees"))
    (tmp_path / "lead_score" / ".new-half").mkdir()
    (tmp_path / "lead_score" / ".new-half" / "card.json").write_text("{}")
    (tmp_path / "lead_score" / "notes").mkdir()
    assert copies.versions(tmp_path, "lead_score") == ["10", "9", "2"]
    assert copies.models(tmp_path) == ["lead_score"]
    assert copies.versions(tmp_path, "../" + tmp_path.name) == copies.versions(tmp_path, "nobody") == []


@pytest.mark.parametrize(
    ("model", "version"), [("lead_score", "2"), ("nobody", "1"), ("..", "1"), ("lead_score", "../1"), ("", "")]
)
def test_a_copy_that_is_not_here_is_not_found(tmp_path: Path, model: str, version: str) -> None:
    copies.keep(tmp_path, CARD, write("trees"))
    assert copies.folder_of(tmp_path, "lead_score", "1").is_dir()
    with pytest.raises(NotFound, match="has no version"):
        copies.folder_of(tmp_path, model, version)


def test_an_alias_points_at_a_version_until_it_points_at_none(tmp_path: Path) -> None:
    assert copies.pointed(tmp_path, "lead_score", "challenger") is None
    copies.point(tmp_path, "lead_score", "challenger", "3")
    assert copies.pointed(tmp_path, "lead_score", "challenger") == "3"
    for _ in range(2):
        copies.point(tmp_path, "lead_score", "challenger", None)
        assert copies.pointed(tmp_path, "lead_score", "challenger") is None


def test_a_decision_lies_beside_its_version(tmp_path: Path) -> None:
    folder = copies.keep(tmp_path, CARD, write("trees"))
    assert copies.read_decision(folder) is None
    decision = Decision(promote=False, reasons=("worse",), champion="1")
    copies.write_decision(folder, decision)
    assert copies.read_decision(folder) == decision
