"""What correlation refuses: one line that names the rule, the offender and what is accepted."""

from __future__ import annotations

import numpy as np
import pytest

from hw_models.correlation import correlation
from hw_models.errors import ContractError
from hw_models.products.geometry import Geometry

X = np.zeros((1, 4, 5, 5), np.int8)
W = np.zeros((6, 4, 3, 3), np.int8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0}, r"stride must be at least 1, not 0 \(accepted: 1 or more\)"),
        ({"stride": (1, 2, 3)}, r"stride must be an integer or one per spatial dimension, not \("),
        ({"stride": 1.5}, "stride must be an integer"),
        ({"stride": True}, "stride must be an integer"),
        ({"dilation": (1, 0)}, "dilation must be at least 1, not 0"),
        ({"padding": -1}, "padding must be at least 0, not -1"),
        ({"padding": ((1, 1),)}, r"padding must give one \(before, after\) per spatial dimension"),
        ({"padding": ((1, 1), (0, -2))}, "padding must be at least 0, not -2"),
        ({"padding": "same"}, "padding must be an integer"),
        (
            {"padding": (1 << 31) - 1},
            r"a plane of the padded input must have less than 2\*\*31 elements, not 4294967299 x ",
        ),
        ({"padding": ((65531, 0), (0, 32763)), "stride": 1 << 20}, "not 65536 x 32768"),
        ({"groups": 0}, "groups must divide the 6 output channels, not 0"),
        ({"groups": 4}, "groups must divide the 6 output channels, not 4"),
        ({"groups": 2}, r"x must have 8 channels \(weight's 4 times groups=2\), not 4"),
        ({"dilation": 3}, "the kernel must fit the padded input: it reaches over 7 elements, not"),
        ({"x_zero_point": 1 << 32}, "x_zero_point must be an integer of at most 32 bits"),
        ({"x_zero_point": 0.5}, "x_zero_point must be an integer of at most 32 bits, not 0.5"),
        ({"x_zero_point": [1]}, "x_zero_point must be an integer"),
        ({"pad_value": -(1 << 31) - 1}, "pad_value must be an integer of at most 32 bits"),
        ({"weight_zero_point": [1, 2]}, r"one per output channel, not shape \(2,\)"),
        ({"weight_zero_point": 1.5}, "weight_zero_point must have an integer dtype, not float64"),
        ({"weight_zero_point": 1 << 40}, "weight_zero_point must hold codes of at most 32 bits"),
        ({"x": X[0]}, "x must have shape"),
        ({"x": X[:, :3]}, "x must have 4 channels"),
        ({"x": X.astype(np.float32)}, "x must have an integer dtype, not float32"),
        ({"x": X.astype(bool)}, "x must have an integer dtype, not bool"),
        ({"x": np.full(X.shape, 1 << 32)}, "x must hold codes of at most 32 bits, not 4294967296"),
        ({"x": np.full(X.shape, -(1 << 31) - 1)}, "x must hold codes .* not -2147483649"),
        (
            {"x": np.full(X.shape, 1 << 63, np.uint64)},
            "x must hold codes .* not 9223372036854775808",
        ),
        ({"weight": W[0, 0]}, "weight must have shape"),
        ({"weight": np.zeros((1, 1, 1, 1, 1, 1), np.int8)}, "weight must have shape"),
        ({"weight": W[:, :, None]}, r"x must have shape .* with 3 spatial dimension\(s\)"),
        ({"x": X[:, :3, None], "weight": W[:, :, None]}, "x must have 4 channels"),
        (
            {
                "x": X[:, :, None],
                "weight": W[:, :, None],
                "padding": ((1 << 27, 0), (0, 0), (0, 0)),
            },
            r"what the planes of an output read, padded, must have less than 2\*\*31 elements",
        ),
        ({"x": X[:, :, None], "weight": np.stack([W, W], 2)}, "reaches over 2 elements, not the 1"),
        ({"weight": W[:, :, :0]}, "kernel must have at least one tap per dimension"),
        ({"weight": W * 0.5}, "weight must have an integer dtype, not float64"),
    ],
)
def test_refused(options, message):
    with pytest.raises(ContractError, match=message) as caught:
        correlation(**{"x": X, "weight": W, **options})
    assert "\n" not in str(caught.value)
    assert "(accepted: " in str(caught.value)


def test_the_largest_padded_plane():
    geometry = Geometry.of((1, 1, 1, 1), 1, ((65531, 0), (0, 32762)), 1, 1)
    assert geometry.output_size(5, 5) == (65536, 32767)


def test_padding_forms_are_one():
    x = np.arange(25, dtype=np.int8).reshape(1, 1, 5, 5)
    w = np.arange(9, dtype=np.int8).reshape(1, 1, 3, 3)
    one = correlation(x, w, padding=1)
    for padding in ((1, 1), [1, 1], ((1, 1), (1, 1)), [[1, 1], (1, 1)], np.int64(1)):
        assert np.array_equal(correlation(x, w, padding=padding), one)
    line = correlation(x[:, :, 0], w[:, :, 0], padding=((2, 0),))
    assert line.shape == (1, 1, 5)


def test_nothing_is_written_to_the_ledger_of_a_refused_call():
    from hw_models.errors import AccumulatorOverflowError
    from hw_models.formats import Accumulator
    from hw_models.ledger import Ledger

    ledger = Ledger()
    with pytest.raises(AccumulatorOverflowError):
        correlation(X + 1, W + 1, accumulator=Accumulator(4, "error"), ledger=ledger)
    assert ledger == Ledger()
