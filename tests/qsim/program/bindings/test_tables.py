"""Programs with interpolated tables, softmax and resizes: equal to hw_models, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hw_models.formats import FixedFormat
from hw_models.interpolation import interpolate, interpolation_table
from hw_models.resize import ScaledResize, SizedResize, resize
from hw_models.softmax import FixedSoftmax, FloatSoftmax, TableSoftmax, softmax
from qsim.errors import ModelError
from qsim.program.attributes import format_to_json
from qsim.program.calls import TensorSpec
from qsim.program.program import Call, Program
from qsim.program.schemes import encode_scheme
from tests.qsim.program.reference import interpret

INT8, INT16, INT32 = FixedFormat(8), FixedFormat(16), FixedFormat(32)
TABLE = interpolation_table("tanh", 2**-12, 2**-15)


def program(
    primitive: str,
    attributes: dict[str, Any],
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    formats: tuple[FixedFormat, FixedFormat] = (INT8, INT8),
    constants: dict[str, Any] | None = None,
) -> Program:
    tensors = {
        name: TensorSpec(name, (-1, *shape), form)
        for name, shape, form in zip(("x", "y"), shapes, formats, strict=True)
    }
    call = Call("call", "", primitive, ("x",), "y", attributes)
    return Program("p", ("x",), ("y",), tensors, constants or {}, (call,))


def check(made: Program, wanted: Any, x: np.ndarray) -> None:
    """A run equals the kernel and the definitions, tensor and ledger."""
    (y,) = made.run(x)
    np.testing.assert_array_equal(y, wanted)
    assert y.dtype == made.tensors["y"].format.dtype
    np.testing.assert_array_equal(y, interpret(made, [x])[0]["y"])


def interpolation(result: str = "rounded", intervals: int = 512) -> dict[str, Any]:
    return {
        "table": {"constant": "t"},
        "intervals": intervals,
        "entries": format_to_json(INT16),
        "result": result,
    }


@pytest.mark.parametrize(("result", "bits"), [("rounded", 16), ("exact", 23)])
def test_interpolate(result: Any, bits: int) -> None:
    x = np.random.default_rng(0).integers(-32768, 32768, (4, 9), np.int16)
    formats = INT16, FixedFormat(bits)
    made = program("interpolate", interpolation(result), ((9,), (9,)), formats, {"t": TABLE})
    check(made, interpolate(x, TABLE, result=result), x)


SOFTMAXES = [
    (FixedSoftmax.from_scale(0.1), INT8, INT8),
    (FixedSoftmax.from_scale(0.02), INT8, INT16),
    (FloatSoftmax(0.05, 1 / 256, -128, 0.5), INT8, INT8),
    (TableSoftmax.from_scale(3e-4), INT16, INT16),
]


def soft(scheme: Any, output: FixedFormat = INT8, axis: int = -1) -> dict[str, Any]:
    return {
        "scheme": encode_scheme(scheme, "s", {}),
        "axis": axis,
        "output": format_to_json(output),
    }


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize(("scheme", "codes", "output"), SOFTMAXES, ids=lambda v: type(v).__name__)
def test_softmax(scheme: Any, codes: FixedFormat, output: FixedFormat, axis: int) -> None:
    x = np.random.default_rng(1).integers(codes.min, codes.max + 1, (3, 4, 5), codes.dtype)
    made = program("softmax", soft(scheme, output, axis), ((4, 5), (4, 5)), (codes, output))
    check(made, softmax(x, scheme, axis, codes, output), x)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize(("shape", "size"), [((2, 5, 4), [7, 3]), ((2, 5), [8])])
def test_resize(mode: Any, shape: tuple[int, ...], size: list[int]) -> None:
    attributes = {"size": size, "mode": mode, "align_corners": False, "half_pixel_centers": True}
    x = np.random.default_rng(2).integers(-128, 128, (3, *shape), np.int8)
    made = program("resize", attributes, (shape, (2, *size)))
    check(made, resize(x, SizedResize(tuple(size), mode, half_pixel_centers=True)), x)


def scaled(mode: str = "bilinear", **changes: Any) -> dict[str, Any]:
    values = {"scale": [4, 2, 4, 2], "offset": [-1, -1], "border": [1, 1], "mode": mode}
    return {**values, **changes}


@pytest.mark.parametrize(
    ("mode", "codes", "output"),
    [
        ("nearest", INT8, INT8),
        ("bilinear", INT8, INT32),
        ("bilinear", INT16, FixedFormat(48)),
    ],
)
def test_resize_scaled(mode: Any, codes: FixedFormat, output: FixedFormat) -> None:
    x = np.random.default_rng(3).integers(codes.min, codes.max + 1, (2, 1, 3, 4), codes.dtype)
    made = program("resize_scaled", scaled(mode), ((1, 3, 4), (1, 6, 8)), (codes, output))
    check(made, resize(x, ScaledResize((4, 2, 4, 2), (-1, -1), (1, 1), mode)), x)


PLANE = ((1, 4, 4), (1, 8, 8))
NEAREST = {"mode": "nearest", "align_corners": False, "half_pixel_centers": False}


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (
            lambda: program("interpolate", interpolation(), ((9,), (9,)), (INT16, INT16)),
            "must name a constant",
        ),
        (
            lambda: program(
                "interpolate", interpolation(), ((9,), (9,)), (INT16, INT16), {"t": TABLE[:-1]}
            ),
            r"2\*\*k \+ 1 entries",
        ),
        (
            lambda: program(
                "interpolate",
                interpolation("rounded", 256),
                ((9,), (9,)),
                (INT16, INT16),
                {"t": TABLE},
            ),
            "257 entries",
        ),
        (
            lambda: program(
                "interpolate", interpolation(), ((9,), (9,)), (INT32, INT16), {"t": TABLE}
            ),
            "few bits",
        ),
        (lambda: program("softmax", soft(SOFTMAXES[0][0], axis=0), ((4,), (4,))), "axis must be"),
        (lambda: program("softmax", soft(SOFTMAXES[0][0], axis=2), ((4,), (4,))), "axis must be"),
        (
            lambda: program("softmax", soft(SOFTMAXES[0][0]), ((4,), (4,)), (INT16, INT8)),
            "1 to 8 bits",
        ),
        (
            lambda: program(
                "softmax",
                {
                    **soft(SOFTMAXES[0][0]),
                    "scheme": encode_scheme(SOFTMAXES[3][0].rescale, "s", {}),
                },
                ((4,), (4,)),
            ),
            "accepted kind",
        ),
        (lambda: program("resize", {**NEAREST, "size": [8, 8, 8]}, PLANE), "size must be"),
        (lambda: program("resize", {**NEAREST, "size": [8, 0]}, PLANE), "integer in range"),
        (lambda: program("resize", {**NEAREST, "size": [8]}, PLANE), "one value per spatial"),
        (lambda: program("resize", {**NEAREST, "size": [8, 7]}, PLANE), "shape"),
        (lambda: program("resize", {**NEAREST, "size": [2]}, ((4,), (2,))), "rank 3 or 4"),
        (
            lambda: program("resize_scaled", scaled(scale=[4, 3, 4, 2]), PLANE, (INT8, INT32)),
            "multiple of d",
        ),
        (
            lambda: program("resize_scaled", scaled(border=[99, 1]), PLANE, (INT8, INT32)),
            "border must be",
        ),
        (lambda: program("resize_scaled", scaled(), PLANE), "format"),
    ],
)
def test_refusals(make: Any, match: str) -> None:
    with pytest.raises(ModelError, match=match):
        make().run(np.zeros((1, *make().tensors["x"].shape[1:]), np.int8))
