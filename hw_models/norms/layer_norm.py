"""Layer norm of codes over the last dimensions.

Real-number meaning: ``y = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias`` over the last
``dims`` dimensions, weight and bias one for each of their elements; var divides by the count.

Integer formula: ``clamp(rescale(n * weight + bias) + zero_point)``, n and its sums as
``hw_models.integer.norms`` defines them: exact sum and sum of squares, ``floor`` of a root and of
its reciprocal, one rounding to ``fraction`` bits. ``weight`` has codes of a scale ``s_w``, ``bias``
integers of ``s_w / 2**fraction``, the rescale is by ``s_w / (2**fraction * s_y)``.

Corners: the zero point of x cancels. A row of equal codes gives the bias, also without an epsilon.
No register overflows: rows and weights that could do so are refused.

Error: ``s_w * abs(weight) * (abs(z) * 2**(1 - root_bits) + 2**-(fraction + 1))`` before the
rescale, z the exact normalized value of the codes; an epsilon is rounded to an integer.

I-BERT (algorithm 4 of arXiv 2101.01321, IntLayerNorm of transformers) rounds the mean to a code, so
that a row is off by up to half a code, and scales by ``floor(2**31 / std)``; here the mean is exact
and the root keeps ``root_bits`` digits however small it is. LiteRT's integer layer norm stands
inside its 8x8_16 LSTM alone (lite/kernels/internal/reference/portable_tensor_utils.cc,
ApplyLayerNorm): the mean in 10 fraction bits, the variance rounded to an integer, five steps of
Newton for its root. Its L2_NORMALIZATION has 7 fraction bits of the result. None makes these
integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hw_models.formats import FixedFormat, IntArray
from hw_models.integer.norms import IntegerNorm
from hw_models.norms.rows import codes_in, normalize_last, require_norm
from hw_models.norms.rows import parameters as norm_parameters
from hw_models.requantize import reference as requantized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.ledger import Ledger

__all__ = [
    "IntegerNorm",
    "layer_norm",
    "norm_parameters",
    "reference",
    "require_norm",
]

_INT8 = FixedFormat(8)


def reference(
    row: Sequence[int],
    norm: IntegerNorm,
    weight: Sequence[int] | None = None,
    bias: Sequence[int] | None = None,
    zero_point: int = 0,
    output: FixedFormat = _INT8,
    clamp: tuple[int, int] | None = None,
    *,
    centred: bool = True,
) -> list[int]:
    """Compute one row, with a weight and a bias for each code: the definition."""
    sums = norm.reference(row, weight, bias, centred=centred)
    return [requantized(acc, norm.rescale, zero_point, output, clamp) for acc in sums]


def layer_norm(
    x: IntArray,
    norm: IntegerNorm,
    weight: Any = None,
    bias: Any = None,
    dims: int = 1,
    zero_point: int = 0,
    input: FixedFormat = _INT8,  # noqa: A002  # the contract's name
    output: FixedFormat = _INT8,
    clamp: tuple[int, int] | None = None,
    ledger: Ledger | None = None,
) -> IntArray:
    """Normalize codes over the last dimensions.

    Args:
        x: codes of ``input``, any shape and strides.
        norm: how a row is normalized and rescaled.
        weight: integers of the shape of the last ``dims`` dimensions; None: 1.
        bias: likewise; None: 0.
        dims: how many dimensions a row has.
        zero_point: of the output, added before the clamp.
        input: format of x: 1 to 16 bits.
        output: format of the result: 1 to 32 bits.
        clamp: (low, high) of a fused activation, in output codes.
        ledger: filled with the extremes of the value before the clamp, with what it changed, and
            with the registers of the norm and of its rescale.

    Returns:
        Codes in ``output.dtype``, the shape of x.

    Raises:
        ContractError: for arguments outside the contract.
    """
    codes = codes_in(x, input, output, ledger)
    finish = (zero_point, output, clamp)
    return normalize_last(codes, dims, norm, (weight, bias), input, finish, ledger)
