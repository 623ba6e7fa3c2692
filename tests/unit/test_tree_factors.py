"""The factors of trees are Shapley values: counted out here by brute force, over every order in which columns become known.

A column that is not known yet sends a row both ways, by the rows that taught (path-dependent TreeSHAP: Lundberg and
others 2020, algorithm 1).
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from ml.learners.base import Examples
from ml.learners.registry import LEARNERS
from ml.preparation.base import Column, Floats

COLUMNS = 3  # two numbers and a category
LEVELS = 6
SMALL = {
    "xgb": {"n_estimators": 5, "max_depth": 3, "learning_rate": 0.3},
    "lgbm": {"n_estimators": 5, "num_leaves": 7, "learning_rate": 0.3, "min_child_samples": 5},
}


@dataclass(frozen=True)
class Node:
    """A leaf (`value`), or a question that sends a row `left` or `right`; `weight` as the library counts the rows."""

    weight: float
    value: float = 0.0
    column: int = -1
    goes_left: Callable[[float], bool] = math.isnan
    left: "Node | None" = None
    right: "Node | None" = None


def of_xgboost(node: Mapping[str, Any]) -> Node:
    if "leaf" in node:
        return Node(node["cover"], value=node["leaf"])
    children = {child["nodeid"]: of_xgboost(child) for child in node["children"]}
    border, missing_left = node["split_condition"], node["missing"] == node["yes"]

    def goes_left(value: float) -> bool:
        if math.isnan(value):
            return missing_left
        return value in border if isinstance(border, list) else bool(np.float32(value) < np.float32(border))

    return Node(
        node["cover"], column=int(node["split"][1:]), goes_left=goes_left, left=children[node["yes"]], right=children[node["no"]]
    )


def of_lightgbm(node: Mapping[str, Any]) -> Node:
    if "leaf_value" in node:
        return Node(node["leaf_count"], value=node["leaf_value"])
    missing_left, border = node["default_left"], node["threshold"]

    def goes_left(value: float) -> bool:
        if node["decision_type"] == "==":  # levels, of which a missing one is none
            return not math.isnan(value) and str(int(value)) in border.split("||")
        return missing_left if math.isnan(value) else value <= border

    return Node(
        node["internal_count"], column=node["split_feature"], goes_left=goes_left,
        left=of_lightgbm(node["left_child"]), right=of_lightgbm(node["right_child"]),
    )  # fmt: skip


def trees_of(name: str, booster: Any) -> Iterator[Node]:
    if name == "xgb":
        yield from (of_xgboost(json.loads(text)) for text in booster.get_dump(dump_format="json", with_stats=True))
    else:
        yield from (of_lightgbm(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"])


def expected(node: Node, row: Floats, known: frozenset[int]) -> float:
    if node.left is None or node.right is None:
        return node.value
    if node.column in known:
        return expected(node.left if node.goes_left(row[node.column]) else node.right, row, known)
    parts = [(child.weight, expected(child, row, known)) for child in (node.left, node.right)]
    return sum(weight * value for weight, value in parts) / sum(weight for weight, _ in parts)


def shapley(trees: list[Node], row: Floats) -> Floats:
    """Each column's share: its mean effect over all sets of other columns, weighted as their orders come (Shapley 1953)."""
    shares = np.zeros(COLUMNS)
    for column in range(COLUMNS):
        others = [other for other in range(COLUMNS) if other != column]
        for size in range(COLUMNS):
            weight = math.factorial(size) * math.factorial(COLUMNS - size - 1) / math.factorial(COLUMNS)
            for known in map(frozenset, combinations(others, size)):
                shares[column] += weight * sum(expected(tree, row, known | {column}) - expected(tree, row, known) for tree in trees)
    return shares


def asks(node: Node, column: int) -> bool:
    if node.left is None or node.right is None:
        return False
    return node.column == column or asks(node.left, column) or asks(node.right, column)


@pytest.mark.parametrize("name", SMALL)
def test_the_factors_of_trees_are_shapley_values(name: str) -> None:
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(400, COLUMNS)).astype(np.float32)
    matrix[:, 2] = generator.integers(0, LEVELS, 400)
    matrix[generator.random((400, COLUMNS)) < 0.1] = np.nan
    signal = np.nan_to_num(matrix[:, 0]) * np.nan_to_num(matrix[:, 1]) + np.where(matrix[:, 2] % 2, 0.8, -0.8)
    columns = tuple(
        Column(name=f"c{place}", input=f"c{place}", **({"levels": LEVELS} if place == 2 else {})) for place in range(COLUMNS)
    )
    fitted: Any = LEARNERS[name].fit(Examples(matrix, columns, (signal > 0).astype(np.int64)), SMALL[name], seed=0)
    trees = list(trees_of(name, fitted.booster))
    assert len(trees) == SMALL[name]["n_estimators"]
    assert any(asks(tree, 2) for tree in trees), "no tree has asked for the level"
    shares = fitted.contributions(matrix[:40])
    for row, found in zip(matrix[:40].astype(np.float64), shares, strict=True):
        assert np.allclose(found[:-1], shapley(trees, row), atol=1e-4)
