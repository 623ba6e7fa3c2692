"""TABLES of words for the report: what a person reads in place of our own names."""

from data.domain.prediction import Grade
from ml.features.inputs import InputKind
from ml.training.leakage import Reason, RowReason

LEARNERS = {
    "prior": "the base rate for everybody",
    "naive_bayes": "naive Bayes",
    "logistic": "logistic regression",
    "svm": "support-vector machine",
    "forest": "random forest",
    "xgb": "boosted trees (XGBoost)",
    "lgbm": "boosted trees (LightGBM)",
    "stack": "several learners together",
}
HOW = {
    "prior": "gives everybody the same percentage",
    "naive_bayes": "adds up what each column says on its own",
    "logistic": "gives each column one weight",
    "svm": "draws the widest straight border between the two outcomes",
    "forest": "averages hundreds of decision trees",
    "xgb": "adds up many small decision trees, each mending the ones before",
    "lgbm": "adds up many small decision trees, each mending the ones before",
    "stack": "weighs the answers of the best learners against each other",
}
KINDS = {
    InputKind.NUMBER: "number",
    InputKind.BOOLEAN: "yes or no",
    InputKind.CATEGORY: "category",
    InputKind.DATE: "date",
    InputKind.TEXT: "text",
}
REASONS = {
    Reason.TARGET_COPY: "a copy of the outcome",
    Reason.PURE_VALUES: "has values that only one outcome has",
    Reason.FILLED_FOR_ONE: "is filled, or empty, for one outcome only",
    Reason.TOO_GOOD: "is too good to be true",
    Reason.CHANGED_LATE: "was changed when the outcome was known",
    Reason.IDENTIFIER: "names the row and says nothing about the next one",
    Reason.CLOCK: "is the row's time in disguise",
}
ROW_REASONS = {
    RowReason.DUPLICATES: "rows that are there twice",
    RowReason.SHARED_GROUPS: "customers on both sides",
}
# The limits are those of `data.domain.prediction.GRADES`.
GRADES = {
    Grade.A: "at least 4 times the average odds",
    Grade.B: "2 to 4 times",
    Grade.C: "1 to 2 times",
    Grade.D: "half to 1 times",
    Grade.E: "less than half",
}
CALIBRATIONS = {
    "none": "left as they are",
    "sigmoid": "stretched and shifted",
    "isotonic": "bent along a curve",
}
