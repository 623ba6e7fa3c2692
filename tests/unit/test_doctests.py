"""The examples in the docstrings are true."""

import doctest
import importlib

import pytest

WITH_EXAMPLES = (
    "ml.serving.explain",
    "ml.serving.assignment",
    "ml.champions",
    "ml.features.number_text",
    "ml.features.date_text",
    "ml.tables.column_names",
    "ml.sentiment.scorer",
    "automation.sources.properties",
    "data.domain.company_profile",
    "data.domain.enrichment",
    "data.domain.web_domain",
    "automation.predictive_enrichments.combined_score",
    "data.domain.delivery",
    "data.domain.money",
    "data.settings",
    "ml.models.prediction_checks",
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
