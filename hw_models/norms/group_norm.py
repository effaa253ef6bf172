"""Group norm and instance norm of codes: each sample's channels normalized in groups.

Real-number meaning: ``y = (x - mean(x)) / sqrt(var(x) + eps) * weight[c] + bias[c]``, mean and
variance over the channels of one group and all their positions; instance norm has a group for each
channel.

Integer formula, corners, widths and error: those of ``hw_models.norms.layer_norm``, a row being the
codes of one group of one sample, ``C / groups * positions`` of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models._arguments import as_array
from hw_models._pointwise import require_int
from hw_models.errors import ContractError
from hw_models.formats import FixedFormat, IntArray
from hw_models.norms.layer_norm import reference
from hw_models.norms.rows import codes_in, normalize, parameters, require_norm

if TYPE_CHECKING:
    from hw_models.integer.norms import IntegerNorm
    from hw_models.ledger import Ledger

__all__ = ["group_norm", "instance_norm", "reference"]

_INT8 = FixedFormat(8)


def group_norm(
    x: IntArray,
    norm: IntegerNorm,
    groups: int,
    weight: Any = None,
    bias: Any = None,
    zero_point: int = 0,
    input: FixedFormat = _INT8,  # noqa: A002  # the contract's name
    output: FixedFormat = _INT8,
    clamp: tuple[int, int] | None = None,
    ledger: Ledger | None = None,
) -> IntArray:
    """Normalize the channels of each sample in groups.

    Args:
        x: codes of ``input``, [N, C, *spatial], any strides.
        norm: how a group is normalized and rescaled.
        groups: divides C.
        weight: integers, one per channel; None: 1.
        bias: likewise; None: 0.
        zero_point: of the output, added before the clamp.
        input: format of x: 1 to 16 bits.
        output: format of the result: 1 to 32 bits.
        clamp: (low, high) of a fused activation, in output codes.
        ledger: as in layer_norm.

    Returns:
        Codes in ``output.dtype``, the shape of x.

    Raises:
        ContractError: for arguments outside the contract.
    """
    codes = codes_in(x, input, output, ledger)
    if codes.ndim < 2 or math.prod(codes.shape[1:]) == 0:
        raise ContractError(
            f"x must have channels and elements, not shape {codes.shape} (accepted: N, C, *spatial)"
        )
    channels, positions = codes.shape[1], math.prod(codes.shape[2:])
    if channels % require_int(groups, "groups", 1, channels):
        raise ContractError(
            f"groups must divide the channels, not {groups} for {channels} channels "
            f"(accepted: divisors of {channels})"
        )
    count = channels // groups * positions
    require_norm(norm, input, count)
    pair = parameters(norm, weight, bias, (channels,), count)
    table = tuple(np.repeat(values, positions).reshape(groups, count) for values in pair)
    return normalize(
        codes, count, norm, (table[0], table[1]), (zero_point, output, clamp), ledger, centred=True
    )


def instance_norm(
    x: IntArray,
    norm: IntegerNorm,
    weight: Any = None,
    bias: Any = None,
    zero_point: int = 0,
    input: FixedFormat = _INT8,  # noqa: A002  # the contract's name
    output: FixedFormat = _INT8,
    clamp: tuple[int, int] | None = None,
    ledger: Ledger | None = None,
) -> IntArray:
    """Normalize each channel of each sample: ``group_norm`` with a group for each channel."""
    shape = as_array(x, "x").shape
    groups = max(shape[1], 1) if len(shape) > 1 else 1
    return group_norm(x, norm, groups, weight, bias, zero_point, input, output, clamp, ledger)
