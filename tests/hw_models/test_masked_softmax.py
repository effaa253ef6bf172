"""Softmax of what a mask shows: the definition, rows of nothing, codes that change nothing."""

from __future__ import annotations

import numpy as np
import pytest

import hw_models as hw
from hw_models.softmax import reference

SCHEMES = (
    hw.IbertSoftmax.from_scale(0.1),
    hw.IbertSoftmax.from_scale(0.1, rounding="half_up"),
    hw.FixedSoftmax.from_scale(0.1),
    hw.FloatSoftmax(0.1, 1 / 256, -100),
    hw.TableSoftmax.from_scale(0.1),
)
X = np.random.default_rng(0).integers(-128, 128, (4, 3, 7)).astype(np.int8)
SHOWN = np.random.default_rng(1).random(X.shape) < 0.5
SHOWN[0], SHOWN[1], SHOWN[2, :, 0] = False, True, True


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: type(scheme).__name__)
@pytest.mark.parametrize("axis", [-1, 1, 0])
def test_rows_are_those_of_the_definition(scheme: hw.SoftmaxScheme, axis: int) -> None:
    ledger = hw.Ledger()
    made = hw.softmax(X, scheme, axis, ledger=ledger, shown=SHOWN)
    x, marks, y = (np.moveaxis(v, axis, -1) for v in (X, SHOWN, made))
    for index in np.ndindex(x.shape[:-1]):
        row, mark = x[index].tolist(), marks[index].tolist()
        wanted = reference(row, scheme, shown=mark)
        assert y[index].tolist() == wanted
        # The definition itself: a row of the shown ones alone, and nothing where one is hidden.
        shorter = [code for code, shown in zip(row, mark, strict=True) if shown]
        alone = reference(shorter, scheme) if shorter else []
        assert [v for v, shown in zip(wanted, mark, strict=True) if shown] == alone
    nothing = (
        scheme.zero_point
        if isinstance(scheme, hw.FloatSoftmax)
        else (0 if isinstance(scheme, hw.TableSoftmax) else -128)
    )
    assert set(made[~SHOWN].tolist()) == {nothing}
    assert ledger.elements == X.size
    other = np.where(SHOWN, X, np.random.default_rng(2).integers(-128, 128, X.shape)).astype(
        np.int8
    )
    np.testing.assert_array_equal(hw.softmax(other, scheme, axis, shown=SHOWN), made)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: type(scheme).__name__)
def test_a_mask_that_shows_all_is_no_mask_and_masks_broadcast(scheme: hw.SoftmaxScheme) -> None:
    plain = hw.softmax(X, scheme)
    np.testing.assert_array_equal(hw.softmax(X, scheme, shown=np.ones((1, 7), bool)), plain)
    keys = SHOWN[:, :1]
    whole = hw.softmax(X, scheme, shown=np.broadcast_to(keys, X.shape))
    np.testing.assert_array_equal(hw.softmax(X, scheme, shown=keys), whole)
    assert hw.softmax(X[:0], scheme, shown=keys[:0]).shape == (0, 3, 7)


def test_a_row_of_one_is_certain_and_a_sum_that_overflows_names_its_row() -> None:
    one = np.zeros((1, 7), bool)
    one[0, 3] = True
    made = hw.softmax(X, SCHEMES[0], shown=one)
    assert (made[..., 3] == 127).all()
    long = np.zeros((2, 4096), np.int8)
    shown = np.ones(long.shape, bool)
    shown[0, 0] = False
    with pytest.raises(hw.ContractError, match="in row 1 "):
        hw.softmax(long, SCHEMES[2], shown=shown)
    shown[:, 0] = False
    assert hw.softmax(long, SCHEMES[2], shown=shown).shape == long.shape
