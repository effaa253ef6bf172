"""min_max and choose_qparams: the definition, the corners, drawn ranges of every size."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import hw_models as hw
from hw_models.dynamic.choose_qparams import CHOICES, NonFinite, choose, reference
from hw_models.dynamic.min_max import reference as ends

CODES = ((-128, 127), (0, 255), (0, 127), (-127, 127), (-64, 63), (-8, 7))
GO_ON: dict[str, NonFinite] = {"onnx": "propagate"}
RULES = [
    hw.QParamsRule(formula, low, high, symmetric, non_finite=GO_ON.get(formula, "refuse"))
    for formula, (low, high), symmetric in itertools.product(CHOICES, CODES, (False, True))
    if not symmetric or formula not in ("fbgemm", "executorch", "onnx")
    if formula != "no-clipping" or (symmetric and low < 0)
]
TINY = float(np.float32(1e-45))
LIMITS = (
    (0.0, 0.0),
    (-0.0, 0.0),
    (0.0, 1.0),
    (-1.0, 0.0),
    (2.5, 7.5),
    (-7.5, -2.5),
    (-1.0, 1.0),
    (-1.0, 1.0 + 2.0**-23),
    (0.0, TINY),
    (-TINY, 0.0),
    (-TINY, TINY),
    (0.0, 255 * 2.0**-14),
    (-(2.0**-20), 2.0**-14),
    (-1.6e38, 1.6e38),
    (0.0, float(np.finfo(np.float32).max)),
    (-255.0, 0.0),
    (-127.5, 127.5),
    (-3.0, 124.5),
)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_edges_and_drawn_ranges_follow_the_definition(rule: hw.QParamsRule) -> None:
    random = np.random.default_rng(7)
    drawn = random.standard_normal((200, 2)) * 10.0 ** random.integers(-44, 37, (200, 1))
    rows = np.sort(np.concatenate([np.array(LIMITS), drawn]).astype(np.float32), axis=1)
    scales, zeros = choose(rows, rule)
    wanted = [reference(float(low), float(high), rule) for low, high in rows]
    assert scales.tolist() == [scale for scale, _ in wanted]
    assert zeros.tolist() == [zero for _, zero in wanted]
    assert (scales > 0).all() or rule.propagates
    assert rule.low <= zeros.min() <= zeros.max() <= rule.high


def test_by_hand() -> None:
    x = np.array([[-1.0, 0.5, 4.1], [0.0, 0.0, 0.0]], np.float32)
    scales, zeros = hw.choose_qparams(x, hw.QParamsRule("onnx", 0, 255), (1,))
    assert scales.tolist() == [[float(np.float32(np.float32(5.1) / np.float32(255)))], [1.0]]
    assert zeros.tolist() == [[50], [0]]
    assert [hw.QParamsRule("power-of-two", eps=e).bound for e in (0.25, 0.375, 1.0)] == [
        0.25,
        0.5,
        1,
    ]
    scales, zeros = hw.choose_qparams(x, hw.QParamsRule("power-of-two", symmetric=True))
    assert (scales.tolist(), zeros.tolist()) == ([[0.0625]], [[0]])
    assert hw.QParamsRule("torch", 0, 255, symmetric=True).middle == 128


def test_per_token_by_hand() -> None:
    # -3 and 124.5 in steps of 0.5: 2 - 128 and 124.5 - 127.5 say where 0 is, and -122 is nearer.
    x = np.array([[-3.0, 124.5], [-124.5, 3.0]], np.float32)
    scales, zeros = hw.choose_qparams(x, hw.QParamsRule("torch-per-token"), (1,))
    assert (scales.tolist(), zeros.tolist()) == ([[0.5], [0.5]], [[-122], [121]])
    rule = hw.QParamsRule("torch-per-token", symmetric=True, eps=0.5)
    scales, zeros = hw.choose_qparams(np.array([[-254.0], [0.25]], np.float32), rule, (1,))
    assert scales.tolist() == [[2.0], [float(np.float32(0.5) / np.float32(127))]]
    assert zeros.tolist() == [[0], [0]]


def test_nothing_is_clipped() -> None:
    rule = hw.QParamsRule("no-clipping", -8, 7, symmetric=True)
    scales, zeros = hw.choose_qparams(
        np.array([[-16.0, 7.0], [-8.0, 14.0]], np.float32), rule, (1,)
    )
    assert (scales.tolist(), zeros.tolist()) == ([[2.0], [2.0]], [[0], [0]])


def test_groups_are_parts_of_rows() -> None:
    x = np.random.default_rng(1).standard_normal((3, 2, 12)).astype(np.float32)
    rule = hw.QParamsRule("fbgemm", 0, 255)
    scales, zeros = hw.choose_qparams(x, rule, group=4)
    apart = hw.choose_qparams(x.reshape(3, 2, 3, 4), rule, (-1,))
    assert scales.shape == zeros.shape == (3, 2, 3)
    assert np.array_equal(scales, apart[0][..., 0])
    form = hw.FixedFormat(8, signed=False)
    codes = hw.quantize(x, scales, zeros, form, "fbgemm", axis=-1, block=4)
    rows = hw.quantize(x.reshape(3, 2, 3, 4), *apart, form, "fbgemm")
    assert np.array_equal(codes, rows.reshape(x.shape))
    assert hw.choose_qparams(x[:0], rule, group=12)[0].shape == (0, 2, 1)


def test_infinities_go_on_where_the_rule_says_so() -> None:
    rule = hw.QParamsRule("onnx", 0, 255, non_finite="propagate")
    rows = [[math.inf, 1], [-math.inf, 1], [-3e38, 3e38], [0, TINY], [-math.inf, math.inf]]
    x = np.array(rows, np.float32)
    scales, zeros = hw.choose_qparams(x, rule, (1,))
    assert scales[:, 0].tolist() == [math.inf, math.inf, math.inf, 0.0, math.inf]
    assert zeros[:, 0].tolist() == [0, 255, 0, 255, 255]
    assert [reference(min(row), max(row), rule) for row in rows] == [
        (scale, zero)
        for scale, zero in zip(scales[:, 0].tolist(), zeros[:, 0].tolist(), strict=True)
    ]
    form = hw.FixedFormat(8, signed=False)
    codes = hw.quantize(x, scales, zeros, form, "onnx", non_finite="propagate")
    assert codes.tolist() == [[0, 0], [0, 255], [0, 0], [0, 255], [0, 0]]
    with pytest.raises(
        hw.NonFiniteError, match=r"index \(1, 0\) must be finite or infinite, not nan"
    ):
        hw.choose_qparams(np.array([[1.0], [math.nan]], np.float32), rule, (1,))


@pytest.mark.parametrize("axes", [None, (0,), (1,), (-1,), (0, 2), (2, 0), (1, 2)])
def test_min_max_reduces_any_dimensions(axes: tuple[int, ...] | None) -> None:
    x = np.random.default_rng(3).standard_normal((3, 4, 5)).astype(np.float32)
    over = axes or (0, 1, 2)
    wanted = np.stack([x.min(over, keepdims=True), x.max(over, keepdims=True)], -1)
    book = hw.Ledger()
    for laid in (x, np.asfortranarray(x), x[::-1][::-1]):
        assert np.array_equal(hw.min_max(laid, axes, book), wanted)
    assert (book.minimum, book.maximum) == (float(x.min()), float(x.max()))


@pytest.mark.parametrize(
    "row",
    [
        [0.0, -0.0],
        [-0.0, 0.0],
        [-0.0],
        [math.inf, -math.inf, 1.0],
        [TINY, -TINY, 0.0],
        [1.0, math.nan, 2.0],
        [-math.nan, 5.0],
    ],
)
def test_min_max_knows_signs_and_what_is_no_number(row: list[float]) -> None:
    (made,) = hw.min_max(np.array([row], np.float32), (1,)).reshape(1, 2).tolist()
    assert [str(value) for value in made] == [str(value) for value in ends(row)]


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(odd: float) -> None:
    x = np.zeros((2, 3), np.float32)
    x[1, 2] = odd
    with pytest.raises(hw.NonFiniteError, match=r"range at index \(1, 0\) must be finite"):
        hw.choose_qparams(x, axes=(1,))


def test_a_range_without_a_finite_scale_is_refused() -> None:
    x = np.array([-3e38, 3e38], np.float32)
    with pytest.raises(hw.NonFiniteError, match="scale"):
        hw.choose_qparams(x)
    assert np.isfinite(hw.choose_qparams(x, hw.QParamsRule("fbgemm", 0, 255))[0]).all()
    with pytest.raises(hw.NonFiniteError, match="must be positive and finite, not 0"):
        hw.choose_qparams(np.array([0.0, TINY], np.float32), hw.QParamsRule("onnx", 0, 255))


def test_arguments_outside_the_contract_are_refused() -> None:
    x = np.zeros((2, 3), np.float32)
    for call, said in (
        (lambda: hw.choose_qparams(x.astype(np.float64)), "float32 array, not float64"),
        (lambda: hw.min_max(x, (0, 0)), "different dimensions"),
        (lambda: hw.min_max(x, (2,)), "different dimensions"),
        (lambda: hw.min_max(x[:0]), "a value in every row"),
        (lambda: hw.QParamsRule("fbgemm", symmetric=True), "no part of the formula"),
        (lambda: hw.QParamsRule(low=1, high=5), "with 0 among them"),
        (lambda: hw.QParamsRule(eps=0.0), "a float32 above 0"),
        (lambda: choose(x, hw.QParamsRule()), "least, greatest"),
        (lambda: hw.choose_qparams(x, group=2), r"divide .* not 2 for 3 \(accepted: 1, 3\)"),
        (lambda: hw.choose_qparams(x, axes=(1,), group=3), "runs along the last dimension"),
        (lambda: hw.QParamsRule(non_finite="propagate"), "'onnx' alone, not for 'torch'"),
        (lambda: hw.QParamsRule("no-clipping"), "must be symmetric"),
        (lambda: hw.QParamsRule("no-clipping", 0, 255, True), "both sides of 0"),
        (lambda: hw.QParamsRule("torch-per-token", -5, 0, True), "must be above 0"),
    ):
        with pytest.raises(hw.ContractError, match=said):
            call()
