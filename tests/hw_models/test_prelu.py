"""A parametric relu: each side of real 0 by its own rescale, against the definition."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.errors import ContractError
from hw_models.formats import FixedFormat
from hw_models.ledger import Ledger
from hw_models.prelu import prelu, reference
from hw_models.schemes import FixedPoint, FloatScale, PowerOfTwo

GRID = np.arange(-128, 128, dtype=np.int8)
SCHEMES = [
    (FixedPoint.from_scale(0.7), FixedPoint.from_scale(0.013)),
    (FixedPoint.from_scale(1.3, rounding="single"), FixedPoint.from_scale(0.4, rounding="single")),
    (FloatScale(0.7), FloatScale(0.013)),
    (PowerOfTwo(1, "half_away"), PowerOfTwo(7, "half_even")),
]


@pytest.mark.parametrize("schemes", SCHEMES, ids=repr)
@pytest.mark.parametrize("zeros", [(0, 0, 0), (-128, 127, -3), (5, -7, 100)])
def test_every_code_with_every_few_slopes(
    schemes: tuple[FixedPoint, FixedPoint], zeros: tuple[int, int, int]
) -> None:
    x, slopes = np.meshgrid(GRID, GRID[::7], indexing="ij")
    y = prelu(x, slopes, *schemes, *zeros)
    pairs = zip(x.ravel().tolist(), slopes.ravel().tolist(), strict=True)
    assert y.ravel().tolist() == [reference(p, q, *schemes, *zeros) for p, q in pairs]
    assert y.dtype == np.int8
    assert np.array_equal(prelu(x, GRID[::7], *schemes, *zeros), y)


def test_ties_zero_and_slopes_of_any_sign() -> None:
    x = np.array([-3, -1, 0, 1, 3], np.int8)
    half = PowerOfTwo(1, "half_away")
    assert prelu(x, np.array([1], np.int8), half, half).tolist() == [-2, -1, 0, 1, 2]
    assert prelu(x, np.array([-2], np.int8), PowerOfTwo(0), half).tolist() == [3, 1, 0, 1, 3]
    assert prelu(x, np.array([4], np.int8), PowerOfTwo(0), PowerOfTwo(0), 1, 2, 9).tolist() == [
        1, 5, 7, 9, 11,
    ]  # fmt: skip


def test_a_slope_for_each_channel_and_the_ledger() -> None:
    x = np.arange(-12, 12, dtype=np.int8).reshape(2, 3, 4)
    slopes = np.array([1, 2, 100], np.int8).reshape(3, 1)
    ledger = Ledger()
    y = prelu(x, slopes, PowerOfTwo(0), PowerOfTwo(0), output=FixedFormat(8), ledger=ledger)
    assert np.array_equal(y[0], np.clip(x[0].astype(int) * slopes, -128, 127))
    assert np.array_equal(y[1], x[1])
    assert (ledger.elements, ledger.minimum, ledger.maximum) == (24, -400, 11)
    assert (ledger.clamped, ledger.first_clamped) == (3, (0, 2, 0))


def test_registers_say_which_side() -> None:
    scheme, ledger = FixedPoint.from_scale(0.5), Ledger()
    prelu(GRID, np.array([3], np.int8), scheme, scheme, ledger=ledger)
    names = {register.name.split()[0] for register in ledger.registers}
    assert names == {"positive", "negative"}
    empty = np.empty((0, 3), np.int8)
    assert prelu(empty, np.int8(3), scheme, scheme, ledger=Ledger()).shape == (0, 3)


def test_wide_codes_are_exact_or_refused() -> None:
    x, slope = np.array([-(1 << 31), 1 << 31]), np.array([-(1 << 31)])
    wide = PowerOfTwo(40, "floor")
    y = prelu(x, slope, wide, wide, output=FixedFormat(32))
    assert y.tolist() == [1 << 22, 0]
    with pytest.raises(ContractError, match="must fit 64 bits"):
        prelu(x, slope, wide, wide, (1 << 32) - 1, (1 << 32) - 1)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"slopes": np.ones((4, 1), np.int8)}, "slopes must broadcast"),
        ({"positive": FixedPoint((1, 2), 3)}, "positive must rescale every element alike"),
        ({"negative": PowerOfTwo(3, "stochastic")}, "negative must rescale every element alike"),
        ({"x": np.ones(2)}, "x must be an integer"),
        ({"slope_zero_point": 1 << 33}, "slope_zero_point"),
        ({"positive": "x"}, "scheme"),
    ],
)
def test_refusals(arguments: dict[str, object], match: str) -> None:
    ones = np.ones(2, np.int8)
    given = {"x": ones, "slopes": ones, "positive": PowerOfTwo(1), "negative": PowerOfTwo(1)}
    with pytest.raises(ContractError, match=match):
        prelu(**{**given, **arguments})  # type: ignore[arg-type]
