"""Directed vectors of correlation, linear and matmul: extremes, borders, and overflow in order.

An output element belongs to the class of the row of weights (or of the position) that it was made
for. The register's overflow is met where few enough products reach its ends; a 32-bit register
takes some 33,000 products of 8-bit codes, which one call of ``correlation`` has: a kernel that
lies in the padding, so that its operand need not be stored.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models.correlation import reference as correlate
from hw_models.linear import reference as multiply
from hw_models.matmul import reference as matrix_product
from qsim.golden.directed import vectors as v
from qsim.golden.directed.weights import Codes, plain_rows, rows
from qsim.program import accumulator_to_json
from qsim.target import derive

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from qsim.golden.case import Case
    from qsim.program import Array, Json
    from qsim.target import At, Order, Overflow, Target

MOST_PRODUCTS = 140_000  # of the one long sum: what symmetric 8-bit codes take
_LONGEST_ROW = 60_000  # of its kernel: a call may be padded by 65,536 elements on a side


@dataclass(frozen=True)
class Geometry:
    """A correlation's shape: sizes, and the attributes that hw_models takes.

    Attributes:
        x, weight: shapes.
        stride, dilation: one per dimension.
        padding: (before, after) per dimension.
        groups: as in a convolution.
    """

    x: tuple[int, ...]
    weight: tuple[int, ...]
    stride: tuple[int, ...] = (1, 1)
    padding: tuple[tuple[int, int], ...] = ((0, 0), (0, 0))
    dilation: tuple[int, ...] = (1, 1)
    groups: int = 1


GEOMETRIES = {
    "pointwise": Geometry((2, 5, 3, 3), (7, 5, 1, 1)),
    "padded": Geometry((1, 3, 5, 6), (4, 3, 3, 3), padding=((1, 1), (1, 1))),
    "uneven-padding": Geometry((1, 2, 4, 5), (3, 2, 3, 2), (2, 1), ((0, 1), (1, 0))),
    "strided": Geometry((1, 4, 7, 6), (5, 4, 2, 3), (2, 3)),
    "dilated": Geometry((1, 2, 7, 7), (3, 2, 3, 2), (1, 2), ((2, 1), (0, 1)), (2, 3)),
    "depthwise": Geometry((1, 6, 5, 5), (6, 1, 3, 3), padding=((1, 1), (1, 1)), groups=6),
    "grouped": Geometry((2, 6, 3, 4), (4, 3, 2, 2), groups=2),
    "one-dimension": Geometry((1, 3, 9), (4, 3, 4), (2,), ((3, 1),), (1,)),
    "one-product": Geometry((1, 1, 2, 2), (2, 1, 1, 1)),
}


class Correlation:
    """Vectors of correlation."""

    @staticmethod
    def cases(target: Target, seed: int, count: int) -> Iterator[Case]:
        """Give every geometry under zero points of both signs, then the register's overflow."""
        rng = v.stream("correlation", seed, target.hash)
        for part, (name, geometry) in enumerate(GEOMETRIES.items()):
            codes = Codes.of(target, part)
            yield _correlation(name, target, codes, geometry, rng, plain=True)
        overflows = Codes.of(target, 0).products_to_overflow(target, most=145) < 145
        for part in range(4 if overflows else 1):
            # Channels and kernel positions both matter to the order in which products are summed.
            codes = Codes.of(target, part)
            # Half of the products leave the register, so that the other half can come back.
            channels = 8 * -(-codes.products_to_overflow(target, most=144) // 36)
            geometry = Geometry((1, channels, 3, 3), (8, channels, 3, 3), padding=((0, 1), (0, 0)))
            yield _correlation(f"order-{part}", target, codes, geometry, rng, plain=False)
        yield from _long(target, rng)
        made = 0
        while made < count:
            name, geometry = rng.choice(list(GEOMETRIES.items()))
            codes = Codes.of(target, rng.randrange(1 << 16))
            case = _random_correlation(f"random-{made}.{name}", target, codes, geometry, rng)
            made += case.expected.size
            yield case

    @staticmethod
    def variants(target: Target, seed: int, count: int) -> Iterator[Case]:
        """Give the vectors under the other registers: see :func:`registers`; then zero points."""
        others = list(registers(target))
        if "power_of_two" not in (target.input.scheme, target.weight.scheme):
            others.append(("zero-points.", with_zero_points(target)))
        for prefix, other in others:
            for case in Correlation.cases(other, seed, count):
                yield v.renamed(case, prefix)


class Linear:
    """Vectors of linear."""

    @staticmethod
    def cases(target: Target, seed: int, count: int) -> Iterator[Case]:
        """Give layers of one product, of a few, and of enough to overflow a narrow register."""
        yield from _matrices("linear", target, seed, count)

    @staticmethod
    def variants(target: Target, seed: int, count: int) -> Iterator[Case]:
        """Give the vectors under the other registers."""
        for prefix, other in registers(target):
            for case in Linear.cases(other, seed, count):
                yield v.renamed(case, prefix)


class Matmul:
    """Vectors of matmul: both operands are activations."""

    @staticmethod
    def cases(target: Target, seed: int, count: int) -> Iterator[Case]:
        """Give products of matrices as for linear; the first of them in a batch."""
        yield from _matrices("matmul", target, seed, count)

    @staticmethod
    def variants(target: Target, seed: int, count: int) -> Iterator[Case]:
        """Give the vectors under the other registers."""
        for prefix, other in registers(target):
            for case in Matmul.cases(other, seed, count):
                yield v.renamed(case, prefix)


def with_zero_points(target: Target) -> Target:
    """Return the target with zero points of both operands, which its own schemes may not have.

    Raises:
        TargetError: a datapath that only shifts can have none.
    """
    return dataclasses.replace(
        target,
        input=dataclasses.replace(target.input, scheme="asymmetric"),
        weight=dataclasses.replace(target.weight, scheme="asymmetric"),
    )


def registers(target: Target) -> Iterator[tuple[str, Target]]:
    """Give the target with narrow registers of every overflow rule, place and order."""
    bits = target.input.bits + target.weight.bits + 3
    overflows: tuple[Overflow, ...] = ("wrap", "saturate", "saturate_symmetric")
    places: tuple[tuple[At, Order], ...] = (
        ("sum", "channel_first"),
        ("mac", "channel_first"),
        ("mac", "channel_last"),
    )
    for overflow in overflows:
        for at, order in places:
            changed = dataclasses.replace(
                target.correlation, bits=bits, overflow=overflow, at=at, order=order
            )
            name = f"{overflow}-{at}-{order}.".replace("_", "-")
            yield name, dataclasses.replace(target, correlation=changed)


def _correlation(
    name: str,
    target: Target,
    codes: Codes,
    geometry: Geometry,
    rng: random.Random,
    *,
    plain: bool,
) -> Case:
    products = int(np.prod(geometry.weight[1:]))
    make = plain_rows if plain else rows
    made = make(codes, target, geometry.weight[0], geometry.weight[1:], rng)
    limit = codes.most_products(target)
    weight = np.array([row for row, _ in made], np.int64).reshape(geometry.weight)
    if products > limit:  # a register whose overflow stops the run: most weights mean 0
        weight = codes.silence(weight, limit)
    size = int(np.prod(geometry.x))
    x = codes.extreme_x(size) if not plain else codes.some_x(size, rng)
    labels = [label for _, label in made]
    return _finish(name, target, codes, geometry, (np.reshape(x, geometry.x), weight), labels)


def _random_correlation(
    name: str, target: Target, codes: Codes, geometry: Geometry, rng: random.Random
) -> Case:
    x = [rng.randint(codes.x.min, codes.x.max) for _ in range(int(np.prod(geometry.x)))]
    size = int(np.prod(geometry.weight))
    weight = np.array([rng.randint(codes.w.min, codes.w.max) for _ in range(size)])
    weight = codes.silence(weight.reshape(geometry.weight), codes.most_products(target))
    labels = [v.RANDOM] * geometry.weight[0]
    return _finish(name, target, codes, geometry, (np.reshape(x, geometry.x), weight), labels)


def _long(target: Target, rng: random.Random) -> Iterator[Case]:
    """Give one sum that just overflows a wide register, its kernel in the padding."""
    codes = Codes.of(target, 0).at_the_ends()
    products = codes.products_to_overflow(target, most=MOST_PRODUCTS)
    register = target.correlation
    if register.overflow == "error" or not 144 < products < MOST_PRODUCTS:
        return
    # Nearly the largest products, so that low bits vary: 2 % more of them than needed make up.
    count = max(2, -(-products // _LONGEST_ROW))
    row = -(-products // count)
    weight = np.array([codes.w.min + rng.randrange(3) for _ in range(count * row)])
    weight = weight.reshape(1, 1, count, row)
    geometry = Geometry((1, 1, 1, 1), weight.shape, padding=((count - 1, 0), (row - 1, 0)))
    x = np.full((1, 1, 1, 1), codes.x.max)
    pad = codes.x.max
    yield _finish("long", target, codes, geometry, (x, weight), [v.OVERFLOW], pad)


def _finish(
    name: str,
    target: Target,
    codes: Codes,
    geometry: Geometry,
    arrays: tuple[Array, Array],
    labels: list[str],
    pad: int | None = None,
) -> Case:
    if pad is None:
        pad = derive.pad_value(target, codes.x_zero_point)
    register = target.correlation.accumulator
    keywords: dict[str, Any] = {
        "stride": geometry.stride[: len(geometry.x) - 2],
        "padding": geometry.padding[: len(geometry.x) - 2],
        "dilation": geometry.dilation[: len(geometry.x) - 2],
        "groups": geometry.groups,
        "x_zero_point": codes.x_zero_point,
        "pad_value": pad,
    }
    points, constants = codes.weight_points(geometry.weight[0])
    expected = correlate(*arrays, **keywords, weight_zero_point=points, accumulator=register)
    attributes: dict[str, Json] = {
        **{key: v.lists(value) for key, value in keywords.items()},
        "weight_zero_point": {"constant": "weight_zero_point"} if constants else int(points[0]),
        "accumulator": accumulator_to_json(register),
    }
    per_output = expected[0, 0].size
    spread = [label for label in labels for _ in range(per_output)] * geometry.x[0]
    return v.make_case(
        "correlation", name, attributes,
        {"x": arrays[0].astype(codes.x.dtype), "weight": arrays[1].astype(codes.w.dtype)},
        {"x": codes.x, "weight": codes.w, "output": register.format},
        expected.astype(register.format.dtype), spread, constants,
    )  # fmt: skip


def _matrices(primitive: str, target: Target, seed: int, count: int) -> Iterator[Case]:
    rng = v.stream(primitive, seed, target.hash)
    most = Codes.of(target, 0, weight=primitive == "linear").products_to_overflow(target, 160)
    # The zero points of part 0 let sums leave the register on both sides, those of 3 on one.
    sizes = {"long": 2 * most, "one-product": 1, "two": 2, "long-one-sided": 2 * most, "odd": 17}
    for part, (name, products) in enumerate(sizes.items()):
        codes = Codes.of(target, part, weight=primitive == "linear")
        made = rows(codes, target, 19 if part % 2 else 8, (products,), rng)
        x = [codes.extreme_x(products), *(codes.some_x(products, rng) for _ in range(2))]
        yield _matrix(primitive, name, target, codes, x, made)
    done = 0
    while done < count:
        codes = Codes.of(target, rng.randrange(1 << 16), weight=primitive == "linear")
        products, outputs = rng.randint(1, 40), rng.randint(1, 20)
        made = [
            ([rng.randint(codes.w.min, codes.w.max) for _ in range(products)], v.RANDOM)
            for _ in range(outputs)
        ]
        x = [[rng.randint(codes.x.min, codes.x.max) for _ in range(products)] for _ in range(10)]
        case = _matrix(primitive, f"random-{done}", target, codes, x, made)
        done += case.expected.size
        yield case


def _matrix(
    primitive: str,
    name: str,
    target: Target,
    codes: Codes,
    x: list[list[int]],
    made: list[tuple[list[int], str]],
) -> Case:
    register = target.correlation.accumulator
    weight = np.array([row for row, _ in made], np.int64)
    weight = codes.silence(weight, codes.most_products(target))
    labels = [label for _, label in made] * len(x)
    points, constants = codes.weight_points(len(weight))
    stated: Json = {"constant": "weight_zero_point"} if constants else int(points[0])
    accumulator: Json = accumulator_to_json(register)
    left = np.array(x, codes.x.dtype)
    formats = {"output": register.format}
    if primitive == "linear":
        expected = multiply(left, weight, codes.x_zero_point, points, register)
        return v.make_case(
            "linear", name,
            {
                "x_zero_point": codes.x_zero_point, "weight_zero_point": stated,
                "accumulator": accumulator,
            },
            {"x": left, "weight": weight.astype(codes.w.dtype)},
            {"x": codes.x, "weight": codes.w, **formats},
            expected.astype(register.format.dtype), labels, constants,
        )  # fmt: skip
    expected = matrix_product(left, weight.T, codes.x_zero_point, points, register)
    # The same pair of matrices in a batch of one: what numpy.matmul broadcasts.
    return v.make_case(
        "matmul", name,
        {"a_zero_point": codes.x_zero_point, "b_zero_point": stated, "accumulator": accumulator},
        {"a": left[None], "b": np.ascontiguousarray(weight.T).astype(codes.w.dtype)[None]},
        {"a": codes.x, "b": codes.w, **formats},
        expected.astype(register.format.dtype)[None], labels, constants,
    )  # fmt: skip
