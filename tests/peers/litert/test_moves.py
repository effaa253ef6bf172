"""LiteRT's moves of codes: parts, steps of either sign, repeats, positions, permutations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from hw_models.formats import FixedFormat
from qsim import Target
from qsim.program import Call, Program, TensorSpec
from tests.peers.evidence.observed import compared
from tests.peers.litert.formulas import F32
from tests.peers.litert.model import Model
from tests.peers.litert.run import run

SHAPE = (2, 3, 5, 4)
SCALE = F32(0.25)


@dataclass(frozen=True)
class Move:
    """An operator of LiteRT, and the calls that it is.

    Attributes:
        operator: of ``BuiltinOperator``.
        given: its constant operands.
        calls: primitive and attributes of each, one after the other.
        shape: of the result of each.
        x: the shape that is moved.
        indices: of a gather.
        options: name of the schema's table.
        fields: of that table.
        left: whether XNNPACK leaves it to LiteRT.
    wide: whether LiteRT has it for codes of 16 bits.
    """

    operator: str
    given: tuple[Any, ...]
    calls: tuple[tuple[str, dict[str, Any]], ...]
    shape: tuple[tuple[int, ...], ...]
    x: tuple[int, ...] = SHAPE
    indices: tuple[int, ...] = ()
    options: str = ""
    fields: dict[str, int] = field(default_factory=dict)
    left: bool = True
    wide: bool = True


def sliced(starts: list[int], steps: list[int], sizes: list[int]) -> tuple[Any, ...]:
    return (("strided_slice", {"starts": starts, "steps": steps, "sizes": sizes}),)


def turned(*dims: int) -> tuple[str, dict[str, Any]]:
    return "permute", {"dims": list(dims)}


def blocks(*shape: int) -> tuple[str, dict[str, Any]]:
    return "reshape", {"shape": list(shape)}


SLICES = {
    "part": Move(
        "SLICE", ([0, 1, 2, 0], [2, 2, 3, 4]), sliced([0, 1, 2, 0], [1] * 4, [2, 2, 3, 4]),
        ((2, 2, 3, 4),), left=False,
    ),
    "every other": Move(
        "STRIDED_SLICE", ([1, 0, 1, 0], [2, 3, 5, 4], [1, 2, 2, 3]),
        sliced([1, 0, 1, 0], [1, 2, 2, 3], [1, 2, 2, 2]), ((1, 2, 2, 2),),
        options="StridedSliceOptions",
    ),
    # A mask of the end reads up to the first element, which no end that is given says.
    "backward": Move(
        "STRIDED_SLICE", ([1, 2, 4, 3], [0, 0, 0, 0], [-1, -1, -3, -2]),
        sliced([1, 2, 4, 3], [-1, -1, -3, -2], [2, 3, 2, 2]), ((2, 3, 2, 2),),
        options="StridedSliceOptions", fields={"endMask": 15},
    ),
    "mirror": Move(
        "REVERSE_V2", ([2, 3],), sliced([0, 0, 4, 3], [1, 1, -1, -1], [*SHAPE]), (SHAPE,)
    ),
    "mirror of the batch": Move(
        "REVERSE_V2", ([0],), sliced([1, 0, 0, 0], [-1, 1, 1, 1], [*SHAPE]), (SHAPE,)
    ),
    "broadcast": Move(
        "BROADCAST_TO", (SHAPE,), sliced([0] * 4, [1, 0, 1, 0], [*SHAPE]), (SHAPE,), (2, 1, 5, 1)
    ),
    "repeats": Move(
        "TILE", ([1, 3, 1, 4],), sliced([0] * 4, [1, 0, 1, 0], [*SHAPE]), (SHAPE,), (2, 1, 5, 1)
    ),
}  # fmt: skip
GATHERS = {
    f"gather along {axis}": Move(
        "GATHER", (indices,), (("gather", {"axis": axis}),),
        ((*SHAPE[:axis], len(indices), *SHAPE[axis + 1:]),), indices=indices,
        options="GatherOptions", fields={"axis": axis},
    )
    for axis, indices in ((0, (1,)), (2, (4, 0, 0, 3, 1, 4, 2)), (3, (3, 2, 1, 0)))
}  # fmt: skip
PERMUTATIONS = {
    "channels first": Move("TRANSPOSE", ([0, 3, 1, 2],), (turned(0, 3, 1, 2),), ((2, 4, 3, 5),),
                           options="TransposeOptions", left=False),
    "all dimensions": Move("TRANSPOSE", ([3, 1, 0, 2],), (turned(3, 1, 0, 2),), ((4, 3, 2, 5),),
                           options="TransposeOptions", left=False),
    "depth to space": Move(
        "DEPTH_TO_SPACE", (),
        (blocks(2, 3, 5, 2, 2, 1), turned(0, 1, 3, 2, 4, 5), blocks(2, 6, 10, 1)),
        ((2, 3, 5, 2, 2, 1), (2, 3, 2, 5, 2, 1), (2, 6, 10, 1)),
        options="DepthToSpaceOptions", fields={"blockSize": 2}, left=False, wide=False,
    ),
    "space to depth": Move(
        "SPACE_TO_DEPTH", (),
        (blocks(2, 3, 2, 2, 2, 5), turned(0, 1, 3, 2, 4, 5), blocks(2, 3, 2, 20)),
        ((2, 3, 2, 2, 2, 5), (2, 3, 2, 2, 2, 5), (2, 3, 2, 20)), (2, 6, 4, 5),
        options="SpaceToDepthOptions", fields={"blockSize": 2}, left=False, wide=False,
    ),
}  # fmt: skip


TARGETS = {
    8: {
        "reference": ("litert-reference", "tflite", "int4"),
        "optimized": ("litert-optimized",),
        "xnnpack": ("xnnpack",),
    },
    16: {"reference": ("tflite-int16x8",)},
}


def program(move: Move, form: FixedFormat) -> Program:
    names = ["x", *(f"y{i}" for i in range(len(move.calls)))]
    shapes = [move.x, *move.shape]
    specs = {n: TensorSpec(n, s, form) for n, s in zip(names, shapes, strict=True)}
    constants = {"i": np.array(move.indices)} if move.indices else {}
    calls = tuple(
        Call(f"c{i}", "", primitive, (names[i], *constants), names[i + 1], attributes)
        for i, (primitive, attributes) in enumerate(move.calls)
    )
    return Program("p", ("x",), (names[-1],), specs, constants, calls)


def same(move: Move, bits: int) -> None:
    """Require LiteRT's codes of the stream and of the interpreter."""
    form, targets = FixedFormat(bits), TARGETS[bits]
    rng = np.random.default_rng(3)
    x = rng.integers(form.min, form.max + 1, move.x).astype(form.dtype)
    zero = -7 if form.bits == 8 else 0
    model = Model()
    operands = [model.input(move.x, form.dtype.name, SCALE, zero)]
    operands += [model.constant(np.array(each, np.int32)) for each in move.given]
    output = model.tensor(move.shape[-1], form.dtype.name, SCALE, zero, name="y")
    model.operator(move.operator, [*operands], output, move.options, **move.fields)
    made = program(move, form)
    codes = [*made.run(x), *made.run(x, trace=lambda *_: None)]
    for kernels, names in targets.items():
        results, left = run(model, x, kernels=kernels)
        assert kernels != "xnnpack" or bool(left) == move.left, left
        for each in codes:
            np.testing.assert_array_equal(each, results["y"], kernels)
        for name in names if kernels != "xnnpack" or not left else ():
            compared(made, Target.load(name))


@pytest.mark.peer("LiteRT reference", ["strided_slice"], ["litert-reference", "tflite", "int4"])
@pytest.mark.peer("LiteRT optimized", ["strided_slice"], ["litert-optimized"])
@pytest.mark.peer("LiteRT with XNNPACK", ["strided_slice"], ["xnnpack"], name="part")
@pytest.mark.parametrize("name", SLICES)
def test_slices(name: str) -> None:
    same(SLICES[name], 8)


@pytest.mark.peer("LiteRT reference", ["gather"], ["litert-reference", "tflite", "int4"])
@pytest.mark.peer("LiteRT optimized", ["gather"], ["litert-optimized"])
@pytest.mark.parametrize("name", GATHERS)
def test_gathers(name: str) -> None:
    same(GATHERS[name], 8)


@pytest.mark.peer("LiteRT reference", ["permute"], ["litert-reference", "tflite", "int4"])
@pytest.mark.peer("LiteRT optimized", ["permute"], ["litert-optimized"])
@pytest.mark.peer("LiteRT with XNNPACK", ["permute"], ["xnnpack"])
@pytest.mark.parametrize("name", PERMUTATIONS)
def test_permutations(name: str) -> None:
    same(PERMUTATIONS[name], 8)


@pytest.mark.peer("LiteRT reference", ["strided_slice", "gather", "permute"], ["tflite-int16x8"])
def test_int16() -> None:
    for move in (*SLICES.values(), *GATHERS.values(), *PERMUTATIONS.values()):
        if move.wide:
            same(move, 16)
