"""The tables of other people are read as a person would read them."""

from pathlib import Path

import pytest

import data.settings
from ml.features.inputs import InputKind
from ml.tables.table import Choice, Table, infer_inputs, read_labelled

FOLDER = Path(data.settings.ROOT).parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the real tables are not in {FOLDER}")

NUMBERS = {
    "bank_marketing": {"age", "balance", "day", "duration", "campaign", "pdays", "previous"},
    "online_shoppers": {
        "Administrative", "Administrative_Duration", "Informational", "Informational_Duration", "ProductRelated", "SpecialDay",
        "ProductRelated_Duration", "BounceRates", "ExitRates", "PageValues", "OperatingSystems", "Browser", "Region", "TrafficType",
    },
    "telco_churn": {"SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges"},
}  # fmt: skip
BOOLEANS = {
    "bank_marketing": {"default", "housing", "loan"},
    "online_shoppers": {"Weekend"},
    "telco_churn": {"Partner", "Dependents", "PhoneService", "PaperlessBilling"},
}
CATEGORIES = {
    "bank_marketing": {"job", "marital", "education", "contact", "month", "poutcome"},
    "online_shoppers": {"Month", "VisitorType"},
    "telco_churn": {
        "gender", "MultipleLines", "InternetService", "OnlineSecurity", "OnlineBackup", "DeviceProtection", "TechSupport",
        "StreamingTV", "StreamingMovies", "Contract", "PaymentMethod",
    },
}  # fmt: skip
TARGETS = {"bank_marketing": "y", "online_shoppers": "Revenue", "telco_churn": "Churn", "iranian_churn": "Churn"}


def read(name: str) -> Table:
    return read_labelled(FOLDER / f"{name}.csv.gz", Choice(target=TARGETS[name]))


@pytest.mark.parametrize("name", NUMBERS)
def test_columns_are_typed_as_a_person_would(name: str) -> None:
    table = read(name)
    inputs, _ = infer_inputs(table, table.cut(0.8))
    found = {kind: {column.name for column in inputs if column.kind is kind} for kind in InputKind}
    assert found[InputKind.NUMBER] == NUMBERS[name]
    assert found[InputKind.BOOLEAN] == BOOLEANS[name]
    assert found[InputKind.CATEGORY] == CATEGORIES[name]


@pytest.mark.parametrize(("name", "rows", "rate"), [("bank_marketing", 36_168, 0.067), ("online_shoppers", 12_330, 0.155),
                                                    ("telco_churn", 7_043, 0.265), ("iranian_churn", 3_150, 0.157)])  # fmt: skip
def test_rows_and_labels_are_all_there(name: str, rows: int, rate: float) -> None:
    table = read(name)
    assert len(table.rows) == len(table.labels) == rows
    assert table.labels.mean() == pytest.approx(rate, abs=0.0005)


def test_the_customer_s_number_is_an_identifier() -> None:
    table = read("telco_churn")
    _, notes = infer_inputs(table, table.cut(0.8))
    assert any(note.startswith("customerID left out: an identifier") for note in notes)


def test_what_people_say_to_each_other_is_text() -> None:
    table = read_labelled(FOLDER / "persuasion_dialogues.csv.gz", Choice(target="B4"))
    inputs, _ = infer_inputs(table, table.cut(0.8))
    kinds = {column.name: column.kind for column in inputs}
    assert kinds["Unit"] is InputKind.TEXT
    assert kinds["Turn"] is InputKind.NUMBER
