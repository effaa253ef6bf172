"""Directed vectors have the zero points that a target's schemes have, and no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qsim import Target
from qsim.golden import Case, directed
from qsim.golden.directed.products import with_zero_points
from qsim.program import resolve

# Of each primitive: an attribute, and the section of the target that says whether there is one.
POINTS = {
    "requantize": {"zero_point": "output", "input_zero_point": "input"},
    "add": {"a_zero_point": "input", "b_zero_point": "input", "zero_point": "output"},
    "correlation": {"x_zero_point": "input", "weight_zero_point": "weight"},
    "linear": {"x_zero_point": "input", "weight_zero_point": "weight"},
    "matmul": {"a_zero_point": "input", "b_zero_point": "input"},
    "avg_pool": {"zero_point": "input"},
}


def some(case: Case, name: str) -> bool:
    value: Any = resolve(case.attributes[name], case.constants)
    return bool(np.any(np.asarray(value)))


@pytest.mark.parametrize("name", ["q7", "tflite"])
@pytest.mark.parametrize("primitive", POINTS)
def test_zero_points_are_those_of_the_scheme(primitive: str, name: str) -> None:
    target = Target.load(name)
    cases = directed.cases(primitive, target, 0, 0)
    for attribute, section in POINTS[primitive].items():
        found = any(some(case, attribute) for case in cases)
        assert found == (getattr(target, section).scheme == "asymmetric"), attribute


def test_a_target_with_zero_points_of_weights_has_them_in_its_vectors() -> None:
    target = with_zero_points(Target.load("narrow20"))
    for primitive in ("correlation", "linear"):
        cases = directed.cases(primitive, target, 0, 0)
        assert any(some(case, "weight_zero_point") for case in cases)
        assert any(some(case, "x_zero_point") for case in cases)
