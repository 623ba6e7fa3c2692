"""A user's table is read whatever its separator, compression and words; what does not fit is said."""

import gzip
from pathlib import Path

import pytest

from data.errors import BadInput
from ml.features.inputs import Input, InputKind
from ml.training.table import LOST_WORDS, WON_WORDS, Table, infer_inputs, read_labelled, read_text

HEADER = ("day", "visits", "channel", "won")
ROWS = [(f"2026-01-{1 + n % 28:02}", str(n % 7), ("email", "direct", "referral")[n % 3], str(int(n % 3 == 0))) for n in range(60)]


def written(folder: Path, text: str | bytes, name: str = "leads.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def lines(separator: str = ",", *, header: tuple[str, ...] = HEADER, rows: list[tuple[str, ...]] = ROWS) -> str:
    return "".join(separator.join(cells) + "\n" for cells in (header, *rows))


def table_of(folder: Path, target: str = "won", /, *, time: str | None = None, **columns: list[str]) -> Table:
    names = tuple(columns)
    rows = list(zip(*columns.values(), strict=True))
    return read_labelled(written(folder, lines(header=names, rows=rows)), target=target, time=time)


def inputs_of(folder: Path, upto: int | None = None, /, **columns: list[str]) -> tuple[dict[str, Input], str]:
    size = len(next(iter(columns.values())))
    table = table_of(folder, **columns, filler=[str(n) for n in range(size)], won=["1", "0"] * (size // 2))
    found, notes = infer_inputs(table, upto or size)
    return {column.name: column for column in found if column.name != "filler"}, "; ".join(notes)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path: Path, separator: str) -> None:
    frame, found = read_text(written(tmp_path, lines(separator)))
    assert (found, tuple(frame.columns), frame.rows()) == (separator, HEADER, ROWS)


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_the_other_separators_may_be_in_the_cells(tmp_path: Path, ending: str) -> None:
    rows = [('"Müller; Søn, Inc."', '"a ""quoted"" word"', "1"), ('"x|y"', "plain", "0")] * 20
    frame, _ = read_text(written(tmp_path, lines(header=('"Name, full"', '"note"', "won"), rows=rows).replace("\n", ending)))
    assert frame.columns == ["Name, full", "note", "won"]
    assert frame.row(0) == ("Müller; Søn, Inc.", 'a "quoted" word', "1")
    assert frame.row(1) == ("x|y", "plain", "0")


def test_a_gzip_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    plain, _ = read_text(written(tmp_path, lines()))
    packed, _ = read_text(written(tmp_path, gzip.compress(lines().encode()), "leads.dat"))
    assert packed.equals(plain)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_names_that_are_not_ascii_are_read(tmp_path: Path, encoding: str) -> None:
    text = lines(header=("größe", "Stadt", "won"), rows=[("1", "Köln", "1"), ("2", "Århus", "0")] * 10)
    frame, _ = read_text(written(tmp_path, text.encode(encoding)))
    assert frame.columns == ["größe", "Stadt", "won"]
    assert frame.row(1) == ("2", "Århus", "0")


def test_spaces_around_a_columns_name_do_not_count(tmp_path: Path) -> None:
    frame, _ = read_text(written(tmp_path, lines(header=(" day ", "visits", "channel ", " won"))))
    assert tuple(frame.columns) == HEADER


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"day,won\n",
        b"day,won\n1,2,3,4\n",
        gzip.compress(lines().encode())[:-20],
        b"\x1f\x8b that is no gzip file",
        lines(header=("day", "won ", "channel", "won")).encode(),
    ],
    ids=["empty", "blank", "header only", "ragged", "cut off gzip", "no gzip", "two columns of one name"],
)
def test_what_is_no_table_is_said(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadInput, match=r"leads\.csv"):
        read_text(written(tmp_path, content))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        read_text(tmp_path / "leads.csv")


@pytest.mark.parametrize(
    ("won", "lost"),
    [
        ("1", "0"), ("1.0", "0.0"), ("yes", "no"), ("TRUE", "FALSE"), ("t", "f"), ("Won", "Lost"), ("closedwon", "closedlost"),
        ("Closed Won", "closed lost"), ("Customer", "none"), ("churned", "retained"), (" y ", "n"),
    ],
)  # fmt: skip
def test_the_words_of_a_label_are_understood(tmp_path: Path, won: str, lost: str) -> None:
    table = table_of(tmp_path, visits=["1", "2", "3", "4"], won=[lost, won, won, lost])
    assert table.labels.tolist() == [0, 1, 1, 0]
    assert any(f"{won.strip().lower()} is 1" in note and f"{lost.strip().lower()} is 0" in note for note in table.notes)


def test_no_word_means_both() -> None:
    assert not WON_WORDS & LOST_WORDS


@pytest.mark.parametrize(
    "labels",
    [["1", "1", "1"], ["no", "no", "no"], ["1", "0", "maybe"], ["1", "0", ""], ["0", "1", "2"], ["a", "b", "a"]],
    ids="-".join,
)
def test_labels_that_are_not_two_classes_are_refused(tmp_path: Path, labels: list[str]) -> None:
    with pytest.raises(BadInput, match=r"^won: cannot tell the two classes apart") as refused:
        table_of(tmp_path, visits=["1", "2", "3"], won=labels)
    assert refused.value.field == "won"


@pytest.mark.parametrize("option", ["target", "time", "drop"])
def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path, option: str) -> None:
    chosen = {"target": "won", "time": "day", "drop": ()} | {option: ["sold"] if option == "drop" else "sold"}
    with pytest.raises(BadInput, match="no column 'sold'; the columns are day, visits, channel, won") as refused:
        read_labelled(written(tmp_path, lines()), **chosen)  # type: ignore[arg-type]
    assert refused.value.field == "sold"


@pytest.mark.parametrize(
    "times",
    [
        ["2025-12-31", "2026-01-02", "2026-01-10"],
        ["2026-01-02T09:00:00Z", "2026-01-02T10:00:00Z", "2026-01-10T08:00:00Z"],
        ["9", "10", "100"],
        ["1e3", "5000", "10000.5"],
        ["31/12/2025", "02/01/2026", "10/01/2026"],
    ],
    ids=lambda times: times[0],
)
@pytest.mark.parametrize("order", [(2, 0, 1), (1, 2, 0)], ids=str)
def test_the_oldest_row_comes_first(tmp_path: Path, times: list[str], order: tuple[int, ...]) -> None:
    shuffled = [times[place] for place in order]
    table = table_of(
        tmp_path, time="at", at=shuffled, visits=[str(place) for place in order], won=["01"[place > 0] for place in order]
    )
    assert table.rows["at"].to_list() == times
    assert table.rows["visits"].to_list() == ["0", "1", "2"]
    assert table.labels.tolist() == [0, 1, 1]


def test_rows_of_one_time_keep_their_order(tmp_path: Path) -> None:
    table = table_of(tmp_path, time="at", at=["2", "1"] * 10, visits=[str(n) for n in range(20)], won=["1", "0"] * 10)
    assert table.rows["visits"].to_list() == [str(n) for n in (*range(1, 20, 2), *range(0, 20, 2))]


def test_without_a_time_the_order_of_the_rows_stays(tmp_path: Path) -> None:
    assert read_labelled(written(tmp_path, lines()), target="won").rows.rows() == ROWS


def test_target_time_and_dropped_columns_are_no_inputs(tmp_path: Path) -> None:
    table = read_labelled(written(tmp_path, lines()), target="won", time="day", drop=["channel"])
    assert table.columns == ("visits",)


def test_the_hash_is_of_the_content(tmp_path: Path) -> None:
    first = read_labelled(written(tmp_path, lines()), target="won")
    again = read_labelled(written(tmp_path, lines(";"), "other.csv"), target="won")
    changed = read_labelled(written(tmp_path, lines().replace("email", "phone")), target="won")
    assert first.data_hash == again.data_hash != changed.data_hash


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2"], InputKind.NUMBER),
        (["1", "0"], InputKind.NUMBER),
        (["1.5", "-2e3"], InputKind.NUMBER),
        ([" 7 ", ""], InputKind.NUMBER),
        (["yes", "no"], InputKind.BOOLEAN),
        (["TRUE", "FALSE"], InputKind.BOOLEAN),
        (["on", "off"], InputKind.BOOLEAN),
        (["email", "direct"], InputKind.CATEGORY),
        (["yes", "perhaps"], InputKind.CATEGORY),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["column", "count", "proportion", "index"])
def test_the_kind_of_a_column_is_found(tmp_path: Path, name: str, cells: list[str], kind: InputKind) -> None:
    # The blanks must not make a column constant.
    found, _ = inputs_of(tmp_path, **{name: [cells[n % 2] or str(n) for n in range(40)]})
    assert found[name].kind is kind


def test_a_few_words_among_numbers_are_missing_values(tmp_path: Path) -> None:
    numbers = [str(n) for n in range(100)]
    found, _ = inputs_of(tmp_path, few=[*numbers[:-5], *["n/a"] * 5], many=[*numbers[:-6], *["n/a"] * 6])
    assert found["few"].kind is InputKind.NUMBER
    assert "many" not in found or found["many"].kind is InputKind.CATEGORY


def test_categories_are_sorted_and_without_spaces(tmp_path: Path) -> None:
    found, _ = inputs_of(tmp_path, channel=["referral", " direct", "email ", ""] * 10)
    assert found["channel"].categories == ("direct", "email", "referral")


@pytest.mark.parametrize(
    "cells", [["same"] * 40, ["5"] * 40, [""] * 40, ["same", ""] * 20, ["same", " same "] * 20], ids=lambda cells: str(cells[:2])
)
def test_a_constant_column_is_left_out(tmp_path: Path, cells: list[str]) -> None:
    found, notes = inputs_of(tmp_path, column=cells)
    assert found == {}
    assert "column left out: it has one value only" in notes


def test_a_column_of_names_is_left_out(tmp_path: Path) -> None:
    found, notes = inputs_of(tmp_path, name=[f"lead {n}" for n in range(400)], code=[f"c{n % 250}" for n in range(400)])
    assert found == {}
    assert "name left out: 400 different texts" in notes
    assert "code left out: 250 different texts" in notes


def test_a_rare_category_is_left_to_the_unseen(tmp_path: Path) -> None:
    found, _ = inputs_of(tmp_path, channel=[*["email", "direct"] * 999, "typo", "other"])
    assert found["channel"].categories == ("direct", "email")


def test_only_the_training_part_is_looked_at(tmp_path: Path) -> None:
    found, _ = inputs_of(
        tmp_path,
        40,
        channel=[*["email", "direct"] * 20, *["tiktok"] * 20],
        later=[*["5"] * 40, *["6"] * 20],
        kind=[*["1", "2"] * 20, *["x"] * 20],
    )
    assert found["channel"].categories == ("direct", "email")
    assert "later" not in found
    assert found["kind"].kind is InputKind.NUMBER


def test_a_table_without_anything_to_learn_from_is_refused(tmp_path: Path) -> None:
    table = table_of(tmp_path, visits=["5"] * 4, won=["1", "0"] * 2)
    with pytest.raises(BadInput, match="visits left out: it has one value only"):
        infer_inputs(table, 4)


@pytest.mark.parametrize(("share", "place"), [(0.8, 48), (0.0, 0), (1.0, 60)])
def test_the_newest_part_begins_at_its_share(tmp_path: Path, share: float, place: int) -> None:
    assert read_labelled(written(tmp_path, lines()), target="won").cut(share) == place
