"""A user's table becomes rows in time order with their labels; what does not fit is said."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data.errors import BadInput
from ml.features.inputs import Input, InputKind
from ml.tables.table import Choice, Table, infer_inputs, read_labelled
from ml.training.leakage import Reason
from ml.training.own_table import read_own_table

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
    return read_labelled(written(folder, lines(header=names, rows=rows)), Choice(target=target, time=time))


def inputs_of(folder: Path, upto: int | None = None, /, **columns: list[str]) -> tuple[dict[str, Input], str]:
    size = len(next(iter(columns.values())))
    table = table_of(folder, **columns, filler=[f"{n}.5" for n in range(size)], won=["1", "0"] * (size // 2))
    found, notes = infer_inputs(table, upto or size)
    return {column.name: column for column in found if column.name != "filler"}, "; ".join(notes)


@pytest.mark.parametrize("option", ["target", "time", "id", "drop", "keep", "category"])
def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path, option: str) -> None:
    chosen = {"target": "won", "time": "day"} | {option: ("sold",) if option in {"drop", "keep", "category"} else "sold"}
    with pytest.raises(BadInput, match="no column 'sold'; the columns are day, visits, channel, won") as refused:
        read_labelled(written(tmp_path, lines()), Choice(**chosen))  # type: ignore[arg-type]
    assert refused.value.field == "sold"


def test_rows_that_name_nobody_are_not_one_customer(tmp_path: Path) -> None:
    rows = [(*row, ("", "ann", "n/a", "bob ")[n % 4]) for n, row in enumerate(ROWS)]
    read = read_labelled(written(tmp_path, lines(header=(*HEADER, "who"), rows=rows)), Choice(target="won", id="who"))
    assert read.ids is not None
    assert len(set(read.ids)) == 30 + 2
    assert {"ann", "bob"} < set(read.ids)
    assert "who: 30 rows name nobody, and each counts as somebody of its own" in read.notes
    longer = [*rows, ("2026-01-31", "1", "email", "0", "")]
    again = read_labelled(written(tmp_path, lines(header=(*HEADER, "who"), rows=longer)), Choice(target="won", id="who"))
    assert again.ids is not None
    assert again.ids[:60].tolist() == read.ids.tolist(), "later rows change no other's name"


@pytest.mark.parametrize(("name", "meant"), [("Won", "won"), ("chanel", "channel"), ("VISITS", "visits")])
def test_the_name_that_was_meant_is_suggested(tmp_path: Path, name: str, meant: str) -> None:
    with pytest.raises(BadInput, match=f"no column '{name}'; did you mean '{meant}'?"):
        read_labelled(written(tmp_path, lines()), Choice(target=name))


def test_of_very_many_columns_some_are_shown(tmp_path: Path) -> None:
    names = tuple(f"c{n}" for n in range(2_000))
    with pytest.raises(BadInput, match=r"and 1,980 more$") as refused:
        read_labelled(written(tmp_path, lines(header=names, rows=[names])), Choice(target="won"))
    assert len(refused.value.detail) < 500


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


def test_dates_come_back_as_days_in_the_order_of_the_rows(tmp_path: Path) -> None:
    table = table_of(tmp_path, time="at", at=["02.01.1970 12:00", "31.12.1969", "1.1.1970"], x=["a", "b", "c"], won=["1", "0", "0"])
    assert table.times is not None
    assert table.times.tolist() == [-1.0, 0.0, 1.5]
    assert any("in the order of at (dates with the day first)" in note for note in table.notes)


@pytest.mark.parametrize("name", ["at", "id", "row"])
def test_numbers_are_an_order_and_no_dates(tmp_path: Path, name: str) -> None:
    table = table_of(tmp_path, time=name, **{name: [str(n) for n in range(40, 0, -1)], "won": ["1", "0"] * 20})
    assert table.times is None
    assert table.rows[name].to_list() == [str(n) for n in range(1, 41)]
    assert any("(numbers, not dates)" in note for note in table.notes)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["soon", "later", "never", "soon"], "neither numbers nor dates"),
        (["", "", "", ""], "neither numbers nor dates"),
        (["2026-01-01", "2026-01-02", "", "2026-01-04"], "1 of 4 cells say no time (the first: 'None')"),
        ([*["2026-01-01", "2026-01-02"] * 19, "soon", "soon"], "2 of 40 cells say no time (the first: 'soon')"),
    ],
)
def test_a_row_without_a_time_is_refused(tmp_path: Path, cells: list[str], said: str) -> None:
    with pytest.raises(BadInput, match=r"^at: ") as refused:
        table_of(tmp_path, time="at", at=cells, won=["1", "0"] * (len(cells) // 2))
    assert said in refused.value.detail
    assert refused.value.field == "at"


def test_rows_without_a_label_are_left_out_of_everything(tmp_path: Path) -> None:
    path = written(tmp_path, "key,day,x,won\na,2026-01-04,1,won\nb,soon,2,\nc,2026-01-02,3,lost\nd,2026-01-03,4,open\n")
    table = read_labelled(path, Choice(target="won", time="day", id="key"))
    assert table.rows["x"].to_list() == ["3", "1"]
    assert table.labels.tolist() == [0, 1]
    assert table.ids is not None
    assert table.ids.tolist() == ["c", "a"]
    assert any("2 rows without a label" in note for note in table.notes)


def test_the_id_names_the_rows_and_is_no_input(tmp_path: Path) -> None:
    table = read_labelled(written(tmp_path, lines()), Choice(target="won", time="day", id="visits"))
    assert table.columns == ("channel",)
    assert table.ids is not None
    assert table.ids.tolist() == table.rows["visits"].to_list()
    assert "not learnt from: day (time), visits (id)" in table.notes


def test_what_is_to_be_kept_stays_though_it_looks_like_an_identifier(tmp_path: Path) -> None:
    rows = [(*row, f"key {n}") for n, row in enumerate(ROWS)]
    path = written(tmp_path, lines(header=(*HEADER, "name"), rows=rows))
    without, _ = infer_inputs(read_labelled(path, Choice(target="won")), 60)
    kept, _ = infer_inputs(read_labelled(path, Choice(target="won", keep=("name",))), 60)
    assert {column.name for column in kept} - {column.name for column in without} == {"name"}


def test_parquet_and_text_are_the_same_table(tmp_path: Path) -> None:
    text = read_labelled(written(tmp_path, lines()), Choice(target="won", time="day"))
    pl.DataFrame(ROWS, schema=HEADER, orient="row").with_columns(
        pl.col("day").str.to_date(), pl.col("visits").cast(pl.Int64), pl.col("won") == "1"
    ).write_parquet(tmp_path / "leads.parquet")
    parquet = read_labelled(tmp_path / "leads.parquet", Choice(target="won", time="day"))
    assert np.array_equal(text.labels, parquet.labels)
    assert text.times is not None
    assert parquet.times is not None
    assert np.array_equal(text.times, parquet.times)
    assert infer_inputs(text, 48) == infer_inputs(parquet, 48)


def test_numbers_may_say_the_order_and_are_no_times(tmp_path: Path) -> None:
    rows = [(str(9_000 - 7 * n), *row[1:]) for n, row in enumerate(ROWS)]
    found = read_own_table(written(tmp_path, lines(rows=rows)), Choice("won", time="day"))
    assert found.raw.times is None
    assert found.typed.order is not None
    assert found.typed.order.tolist() == sorted(float(row[0]) for row in rows)
    assert found.typed.rows(np.array([3])).order == found.typed.order[3]
    assert found.moment is None


def test_without_a_time_the_order_of_the_rows_stays(tmp_path: Path) -> None:
    assert read_labelled(written(tmp_path, lines()), Choice(target="won")).rows.rows() == ROWS


def test_target_time_and_dropped_columns_are_no_inputs(tmp_path: Path) -> None:
    table = read_labelled(written(tmp_path, lines()), Choice(target="won", time="day", drop=("channel",)))
    assert table.columns == ("visits",)
    assert (table.times is None, table.ids) == (False, None)


def test_a_model_does_not_learn_from_predictions_unless_it_is_told_to(tmp_path: Path) -> None:
    text = "visits,predicted_score,Predicted: scored at,unpredicted,won\n" + "".join(
        f"{row},0.{row},2026-01-01,{row},{'yes' if row % 2 else 'no'}\n" for row in range(9)
    )
    table = read_labelled(written(tmp_path, text), Choice(target="won", keep=("Predicted: scored at",)))
    assert table.columns == ("visits", "Predicted: scored at", "unpredicted")
    assert "must not learn from predictions: predicted_score (--keep" in table.notes[-1]


def test_a_date_from_the_outcome_on_is_left_out_where_its_column_is_named(tmp_path: Path) -> None:
    told = ["asked,begun,invoiced,ended,won"]
    for row in range(60):
        ended = date(2024, 1, 1) + timedelta(days=row)
        begun, invoiced = ended - timedelta(days=row % 11 + 1), ended + timedelta(days=row % 7)
        told.append(f"{row % 9},{begun},{invoiced},{ended if row % 5 else ''},{'yes' if row % 2 else 'no'}")
    path = written(tmp_path, "\n".join(told))
    found = read_own_table(path, Choice("won", closed="ended"))
    assert [suspect.column for suspect in found.findings.suspects if suspect.reason is Reason.CHANGED_LATE] == ["invoiced"]
    assert {column.name for column in found.typed.inputs} == {"asked", "begun"}
    with pytest.raises(BadInput, match="asked: no dates"):
        read_own_table(path, Choice("won", closed="asked"))


def test_the_hash_is_of_the_content(tmp_path: Path) -> None:
    first = read_labelled(written(tmp_path, lines()), Choice(target="won"))
    again = read_labelled(written(tmp_path, lines(";"), "other.csv"), Choice(target="won"))
    changed = read_labelled(written(tmp_path, lines().replace("email", "phone")), Choice(target="won"))
    assert first.data_hash == again.data_hash != changed.data_hash


def test_only_the_training_part_is_looked_at(tmp_path: Path) -> None:
    found, _ = inputs_of(
        tmp_path,
        40,
        channel=[*["email", "direct"] * 20, *["tiktok"] * 20],
        later=[*["5"] * 40, *["6"] * 20],
        kind=[*["1", "2"] * 20, *["x"] * 20],
    )
    assert found["channel"].kind is InputKind.CATEGORY
    assert "later" not in found
    assert found["kind"].kind is InputKind.NUMBER


def test_a_table_without_anything_to_learn_from_is_refused(tmp_path: Path) -> None:
    table = table_of(tmp_path, visits=["5"] * 4, won=["1", "0"] * 2)
    with pytest.raises(BadInput, match="no column is left to learn from: visits left out: one value only"):
        infer_inputs(table, 4)


@pytest.mark.parametrize(("share", "place"), [(0.8, 48), (0.0, 0), (1.0, 60)])
def test_the_newest_part_begins_at_its_share(tmp_path: Path, share: float, place: int) -> None:
    assert read_labelled(written(tmp_path, lines()), Choice(target="won")).cut(share) == place


@pytest.mark.slow
def test_two_thousand_columns_are_read_and_typed(tmp_path: Path) -> None:
    cells = {0: "{}.25", 1: "2026-01-{:02}", 2: "word {}", 3: ""}
    names = (*(f"c{n}" for n in range(1_999)), "won")
    rows = [(*(cells[n % 4].format((row + n) % 9 + 1) for n in range(1_999)), str(row % 2)) for row in range(60)]
    inputs, notes = infer_inputs(read_labelled(written(tmp_path, lines(header=names, rows=rows)), Choice(target="won")), 48)
    kinds = [column.kind for column in inputs]
    assert [kinds.count(kind) for kind in (InputKind.NUMBER, InputKind.DATE, InputKind.CATEGORY)] == [500, 500, 500]
    assert notes[-1].endswith("c1995 left out: no values at all")
