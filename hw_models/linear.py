"""Linear: rows of codes times a weight matrix, into accumulators.

Integer formula: ``acc[..., o] = sum over k of (x[..., k] - x_zero_point) * (weight[o, k] -
weight_zero_point[o])``, k ascending. It is the correlation of images of one pixel with a kernel of
one tap, and every corner of hw_models.correlation holds: the accumulator's rule at ``mac`` or
``sum``, exact differences and products of up to 68 bits, no products give 0. Both orders of a
``mac`` accumulator are the same here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hw_models._arguments import as_array, require_accumulator, require_ledger
from hw_models.correlation import reference as correlation_reference
from hw_models.errors import AccumulatorOverflowError, ContractError
from hw_models.formats import Accumulator, IntArray
from hw_models.products.geometry import check_codes
from hw_models.products.plan import CorrelationPlan

if TYPE_CHECKING:
    import numpy.typing as npt

    from hw_models.ledger import Ledger


def reference(
    x: IntArray,
    weight: IntArray,
    x_zero_point: int = 0,
    weight_zero_point: int | IntArray = 0,
    accumulator: Accumulator = Accumulator(),  # noqa: B008 (a frozen value)
    ledger: Ledger | None = None,
) -> IntArray:
    """Multiply 2-D x [M, K] in Python integers; errors and ledger index [M, O, 0]."""
    acc = correlation_reference(
        x[:, :, None], weight[:, :, None], x_zero_point=x_zero_point,
        weight_zero_point=weight_zero_point, accumulator=accumulator, ledger=ledger,
    )  # fmt: skip
    return acc[:, :, 0]


class LinearPlan:
    """A linear layer with its weights checked and packed: call it with x.

    Attributes:
        features: (inputs K, outputs O).
    """

    def __init__(
        self,
        weight: npt.ArrayLike,
        x_zero_point: int = 0,
        weight_zero_point: int | npt.ArrayLike = 0,
        accumulator: Accumulator = Accumulator(),  # noqa: B008 (a frozen value)
    ) -> None:
        require_accumulator(accumulator)
        codes = check_codes("weight", as_array(weight, "weight"))
        if codes.ndim != 2:
            raise ContractError(
                f"weight must have shape [O, K], not {codes.shape} (accepted: 2 dimensions)"
            )
        self.features = (codes.shape[1], codes.shape[0])
        self._plan = CorrelationPlan(
            codes[:, :, None, None], x_zero_point=x_zero_point,
            weight_zero_point=as_array(weight_zero_point, "weight_zero_point"),
            accumulator=accumulator,
        )  # fmt: skip

    def __call__(self, x: npt.ArrayLike, ledger: Ledger | None = None) -> IntArray:
        """Multiply x [..., K]; see linear()."""
        require_ledger(ledger)
        codes = check_codes("x", as_array(x, "x"))
        if codes.ndim == 0 or codes.shape[-1] != self.features[0]:
            raise ContractError(
                f"x must have shape [..., {self.features[0]}] as the weight has, not {codes.shape} "
                f"(accepted: a last dimension of {self.features[0]})"
            )
        lead = codes.shape[:-1]
        rows = codes.reshape(int(np.prod(lead, dtype=np.int64)), self.features[0], 1, 1)
        try:
            acc = self._plan(rows, ledger)
        except AccumulatorOverflowError as error:
            index = _unflatten(error.index, lead)
            raise AccumulatorOverflowError.of(
                "linear", self._plan.accumulator, index, error.value
            ) from None
        if ledger is not None:
            ledger.place(lambda index: _unflatten(index, lead))
        return acc.reshape(*lead, self.features[1])


def _unflatten(index: tuple[int, ...], lead: tuple[int, ...]) -> tuple[int, ...]:
    row = np.unravel_index(index[0], lead) if lead else ()
    return (*(int(i) for i in row), index[1])


def linear_plan(
    weight: npt.ArrayLike,
    x_zero_point: int = 0,
    weight_zero_point: int | npt.ArrayLike = 0,
    accumulator: Accumulator = Accumulator(),  # noqa: B008 (a frozen value)
) -> LinearPlan:
    """Check and pack weights once, for many calls; the arguments are those of linear()."""
    return LinearPlan(weight, x_zero_point, weight_zero_point, accumulator)


def linear(
    x: npt.ArrayLike,
    weight: npt.ArrayLike,
    x_zero_point: int = 0,
    weight_zero_point: int | npt.ArrayLike = 0,
    accumulator: Accumulator = Accumulator(),  # noqa: B008 (a frozen value)
    ledger: Ledger | None = None,
) -> IntArray:
    """Multiply rows of x with weight into accumulators; the contract heads this module.

    Args:
        x: codes [..., K], any integer dtype and strides; values of at most 32 bits.
        weight: codes [O, K].
        x_zero_point: code of x that means 0.
        weight_zero_point: code of weight that means 0: a scalar or one per output.
        accumulator: width, overflow rule and where it applies.
        ledger: filled with what the call did to its accumulators.

    Returns:
        [..., O] of accumulator.dtype.

    Raises:
        ContractError: an argument outside the contract.
        AccumulatorOverflowError: overflow="error" and a value did not fit.
    """
    return LinearPlan(weight, x_zero_point, weight_zero_point, accumulator)(x, ledger)
