"""The transposed correlation in a Program: shapes, products, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hw_models as hw
from qsim.errors import ModelError
from qsim.program.primitives import PRIMITIVES
from qsim.program.program import Call, Program, TensorSpec
from tests.qsim.network import nets as net

BINDING = PRIMITIVES["transposed_correlation"]


def attributes(**changes: Any) -> dict[str, Any]:
    return {
        "stride": 2,
        "padding": 0,
        "output_padding": 0,
        "dilation": 1,
        "groups": 1,
        "x_zero_point": 0,
        "weight_zero_point": 0,
        "accumulator": {"bits": 32, "overflow": "wrap"},
        **changes,
    }


def program(x: np.ndarray, weight: np.ndarray, shape: tuple[int, ...], **changes: Any) -> Program:
    constants = {"w": weight, "points": np.arange(weight.shape[1] * changes.get("groups", 1))}
    made = hw.FixedFormat(changes.get("accumulator", {"bits": 32})["bits"])
    tensors = {
        "x": TensorSpec("x", (-1, *x.shape[1:]), net.INT8),
        "y": TensorSpec("y", (-1, *shape), made),
    }
    call = Call("up", "", "transposed_correlation", ("x", "w"), "y", attributes(**changes))
    return Program("p", ("x",), ("y",), tensors, constants, (call,))


CASES: list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((2, 4, 5, 6), (4, 3, 3, 3), (3, 11, 13), {}),
    ((2, 4, 5, 6), (4, 3, 3, 3), (3, 10, 12), {"padding": 1, "output_padding": 1}),
    ((1, 4, 5, 6), (4, 2, 3, 2), (4, 7, 18), {"stride": [1, 3], "padding": [0, 0], "groups": 2,
                                              "output_padding": [0, 1]}),
    ((1, 4, 5, 6), (4, 3, 2, 2), (3, 9, 15), {"padding": [[1, 2], [0, 0]],
                                              "output_padding": [[2, 0], [0, 3]]}),
    ((3, 2, 7), (2, 5, 4), (5, 17), {"dilation": 2, "padding": [[1, 1]], "x_zero_point": -9,
                                     "weight_zero_point": {"constant": "points"},
                                     "accumulator": {"bits": 20, "overflow": "saturate",
                                                     "at": "mac", "order": "channel_last"}}),
]  # fmt: skip


@pytest.mark.parametrize(("x_shape", "weight_shape", "shape", "changes"), CASES)
def test_a_call_is_the_definition(
    x_shape: Any, weight_shape: Any, shape: Any, changes: dict[str, Any]
) -> None:
    rng = np.random.default_rng(len(shape))
    x = rng.integers(-128, 128, x_shape).astype(np.int8)
    weight = rng.integers(-128, 128, weight_shape).astype(np.int8)
    made = program(x, weight, shape, **changes)
    (y,) = made.run(x)
    options = {**attributes(**changes)}
    if isinstance(options["weight_zero_point"], dict):
        options["weight_zero_point"] = made.constants["points"]
    options["accumulator"] = hw.Accumulator(**options["accumulator"])
    from hw_models.transposed_correlation import reference

    np.testing.assert_array_equal(y, reference(x, weight, **options))
    products = x[0].size * weight[0].size
    assert made.macs(made.calls[0]) == products


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"padding": 5}, "padding must leave an output element per dimension"),
        ({"groups": 3}, "groups divide them"),
        ({"stride": [1, 1, 1]}, "must have one value per dimension"),
        ({"stride": 0}, "must be an integer in range"),
        ({"output_padding": [[0, 1]]}, "padding must have one entry per dimension"),
        ({"output_padding": -1}, "must be an integer in range"),
        ({"accumulator": {"bits": 1, "overflow": "wrap"}}, "2..64"),
    ],
)
def test_refused(changes: dict[str, Any], message: str) -> None:
    x, weight = np.zeros((1, 4, 3, 3), np.int8), np.zeros((4, 3, 2, 2), np.int8)
    with pytest.raises(ModelError, match=message) as caught:
        program(x, weight, (3, 6, 6), **{**changes, "accumulator": {"bits": 32, "overflow": "wrap"}
                                         | changes.get("accumulator", {})})  # fmt: skip
    assert "\n" not in str(caught.value)


def test_refused_operands() -> None:
    x = np.zeros((1, 4, 3, 3), np.int8)
    for weight in (np.zeros((3, 3, 2, 2), np.int8), np.zeros((4, 3, 2), np.int8)):
        with pytest.raises(ModelError, match="x "):
            program(x, weight, (3, 6, 6))
