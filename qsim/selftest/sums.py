"""Sums of products whose operands fill every tile: widths, remainders, and what could saturate.

Images are patterns of codes, output channels are patterns of weights, so that each meets each: all
at either end (neighbouring products whose sum leaves 16 bits, or 32), ends in turn, one code among
zeros in every place, and random ones.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hw_models import Accumulator, FixedFormat
from hw_models.correlation import reference
from qsim.program import Call, Program, TensorSpec, accumulator_to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qsim.program import Array

Vector = tuple[str, Program, "Array", "Array"]
_IMAGES: Final = 5


@dataclass(frozen=True, slots=True)
class Shape:
    """A correlation.

    Attributes:
        x, weight: formats of the codes.
        channels, size: of the input.
        outputs, kernel, groups, stride, padding, dilation: as of a convolution.
        x_zero_point: of x.
        accumulator: the register.
        images: how many; 5 have all patterns.
    """

    x: FixedFormat
    weight: FixedFormat
    channels: int
    size: tuple[int, int]
    outputs: int
    kernel: tuple[int, int]
    groups: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    x_zero_point: int = 0
    accumulator: Accumulator = field(default_factory=lambda: Accumulator(32, "wrap"))
    images: int = _IMAGES

    @property
    def keywords(self) -> dict[str, Any]:
        """Arguments of ``correlation`` and attributes of its call."""
        return {
            "stride": [self.stride] * 2,
            "padding": [[self.padding] * 2] * 2,
            "dilation": [self.dilation] * 2,
            "groups": self.groups,
            "x_zero_point": self.x_zero_point,
            "weight_zero_point": 0,
            "pad_value": self.x_zero_point,
        }


_I8, _U8, _I9, _I16 = FixedFormat(8), FixedFormat(8, False), FixedFormat(9), FixedFormat(16)
_I13, _I32 = FixedFormat(13), FixedFormat(32)
CHOSEN: Final = {
    # Blocks of 64 and 32 output channels, the second not full; 15 pixels leave 3 of a round of 12.
    "blocks-64-32": Shape(_I8, _I8, 3, (1, 4), 84, (1, 2), x_zero_point=-128),
    "blocks-64-16": Shape(_U8, _I8, 5, (1, 3), 70, (1, 1), x_zero_point=255),
    "padded": Shape(_I8, _I8, 3, (1, 3), 20, (3, 3), padding=1, x_zero_point=3),
    "strided": Shape(_U8, _I8, 4, (3, 7), 17, (2, 2), stride=2, dilation=2, x_zero_point=128),
    "grouped": Shape(_I8, _I8, 8, (1, 4), 18, (1, 2), groups=2, x_zero_point=5),
    # A row of the matrix unit, then steps of four codes; blocks of 32 and 16 output channels.
    "matrix": Shape(_I8, _I8, 32, (2, 6), 40, (1, 3), x_zero_point=-7),
    # More weights than stay in the first cache: they come in pieces.
    "long": Shape(_I8, _I8, 75, (2, 2), 33, (2, 2), x_zero_point=-1, images=3),
    "depthwise": Shape(_I8, _I8, 70, (1, 3), 70, (3, 3), groups=70, padding=1, x_zero_point=-7),
    "depthwise-one": Shape(_U8, _I8, 17, (1, 5), 17, (1, 1), groups=17, x_zero_point=9),
    "words-64-32": Shape(_I8, _I9, 3, (1, 4), 84, (1, 2), x_zero_point=-128),
    "words-64-16": Shape(_I8, _I16, 5, (1, 3), 70, (1, 1), x_zero_point=127),
    "pairs-64-32": Shape(_I16, _I8, 3, (1, 4), 84, (1, 2)),
    "pairs-64-16": Shape(_I16, _I16, 5, (1, 3), 70, (1, 1)),
    "pairs-depthwise": Shape(_I16, _I16, 17, (3, 4), 17, (3, 2), groups=17),
    # Sums beyond 32 bits of 16-bit pairs, in pieces.
    "pieces": Shape(
        _I13, _I13, 150, (2, 2), 17, (2, 2), accumulator=Accumulator(48, "wrap"), images=2
    ),
}
# No kernel of 8 or 16 bits serves these: theirs are the same on every processor.
EVERYWHERE: Final = {
    "few-channels": Shape(_I8, _I8, 4, (2, 3), 6, (2, 2), groups=2, x_zero_point=1),
    "wide-codes": Shape(_I32, _I8, 4, (1, 3), 6, (1, 2), accumulator=Accumulator(48, "wrap")),
    "two-limbs": Shape(
        _I32, _I32, 3, (1, 2), 5, (1, 1), accumulator=Accumulator(64, "wrap", "mac")
    ),
    "saturating": Shape(
        _I8, _I8, 9, (2, 3), 20, (2, 1), accumulator=Accumulator(18, "saturate", "mac")
    ),
    "saturating-wide": Shape(
        _I16, _I16, 9, (1, 3), 20, (1, 1), accumulator=Accumulator(34, "saturate", "mac")
    ),
}
_REDUCED: Final = (
    *("blocks-64-16", "grouped", "depthwise-one", "words-64-16", "pairs-64-16"),
    *("few-channels", "saturating"),
)


def vectors(shapes: Mapping[str, Shape], *, reduced: bool) -> Iterator[Vector]:
    """Give name, Program, input and expected sums of shapes."""
    for name, shape in shapes.items():
        if not reduced or name in _REDUCED:
            x, weight = operands(shape)
            expected = reference(x, weight, **shape.keywords, accumulator=shape.accumulator)
            yield f"sums.{name}", _program(shape, x, weight), x, expected


def operands(shape: Shape) -> tuple[Array, Array]:
    """Return the input and the weights."""
    rng = random.Random(repr(shape))  # noqa: S311 - reproducible vectors
    inner = shape.channels * shape.size[0] * shape.size[1]
    images = [_pattern(n, inner, shape.x, shape.x_zero_point, rng) for n in range(shape.images)]
    taps = shape.channels // shape.groups * shape.kernel[0] * shape.kernel[1]
    rows = [_pattern(o, taps, shape.weight, 0, rng) for o in range(shape.outputs)]
    sizes = (shape.images, shape.channels, *shape.size)
    kernel = (shape.outputs, shape.channels // shape.groups, *shape.kernel)
    x = np.array(images, shape.x.dtype).reshape(sizes)
    return x, np.array(rows, shape.weight.dtype).reshape(kernel)


def _pattern(number: int, size: int, form: FixedFormat, zero: int, rng: random.Random) -> list[int]:
    """Return codes of one of five patterns."""
    match number % 5:
        case 0:
            return [form.min] * size
        case 1:
            return [form.max] * size
        case 2:
            return [form.min if i % 2 else form.max for i in range(size)]
        case 3:
            return [form.max if i == number % size else zero for i in range(size)]
        case _:
            return [rng.randint(form.min, form.max) for _ in range(size)]


def call(shape: Shape, output: str = "y") -> Call:
    """Return the call of a correlation of ``x`` and ``w``."""
    attributes = {**shape.keywords, "accumulator": accumulator_to_json(shape.accumulator)}
    return Call("correlation", "", "correlation", ("x", "w"), output, attributes)


def _program(shape: Shape, x: Array, weight: Array) -> Program:
    from hw_models.correlation import correlation_plan

    size = correlation_plan(
        weight, shape.stride, shape.padding, shape.dilation, shape.groups
    ).geometry.output_size(*shape.size)
    made = TensorSpec("y", (shape.images, shape.outputs, *size), shape.accumulator.format)
    given = TensorSpec("x", x.shape, shape.x)
    return Program("sums", ("x",), ("y",), {"x": given, "y": made}, {"w": weight}, (call(shape),))
