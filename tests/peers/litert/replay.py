"""Compute a LiteRT model with hw_models, operator by operator, as one of its kernel sets does.

``docs/peers-litert.md`` has the formulas. hw_models takes images [N, C, H, W].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hw_models.add import add
from hw_models.bias_add import bias_add
from hw_models.correlation import correlation
from hw_models.formats import FixedFormat
from hw_models.linear import linear
from hw_models.pools.avg_pool import avg_pool
from hw_models.pools.max_pool import max_pool
from tests.peers.litert.formulas import F32, adder, mean, rescale

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.peers.litert.model import Model, Tensor

Values: TypeAlias = dict[str, np.ndarray]
Operator: TypeAlias = "tuple[str, dict[str, Any], list[Tensor | None], Tensor]"
REACH = {1: (0.0, np.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}


def replay(model: Model, inputs: Values, kernels: str) -> Values:
    """Return the result of every operator by tensor name."""
    values = dict(inputs)
    for operator in model.operators:
        step(operator, values, kernels)
    return values


def step(operator: Operator, values: Values, kernels: str) -> None:
    """Compute one operator from the values before it."""
    name, fields, inputs, output = operator
    values[output.name] = OPERATORS[name](name, fields, inputs, output, values, kernels)


def code_range(fields: dict[str, Any], output: Tensor) -> tuple[int, int]:
    """Return the codes that a fused activation leaves (CalculateActivationRangeQuantized)."""
    info = np.iinfo(output.dtype)
    low, high = int(info.min), int(info.max)
    ends = REACH.get(fields.get("fusedActivationFunction", 0))
    if ends is not None:
        steps = [F32(end) / F32(output.scale) for end in ends]
        low = max(low, output.zero_point + away(steps[0]))
        if np.isfinite(steps[1]):
            high = min(high, output.zero_point + away(steps[1]))
    return low, high


def away(value: np.float32) -> int:
    """Return C's round(): halves away from zero."""
    return int(np.sign(value) * np.floor(abs(float(value)) + 0.5))


def fetch(tensor: Tensor, values: Values) -> np.ndarray:
    """Return a tensor's codes."""
    return values[tensor.name] if tensor.data is None else tensor.data


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return the elements before and after: the odd one goes after."""
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def geometry(
    fields: dict[str, Any], size: tuple[int, ...], kernel: tuple[int, ...]
) -> dict[str, Any]:
    """Return stride and padding as hw_models takes them."""
    strides = fields["strideH"], fields["strideW"]
    spread = fields.get("dilationHFactor", 1), fields.get("dilationWFactor", 1)
    pads: tuple[Any, ...] = ((0, 0), (0, 0))
    if fields["padding"] == 0:
        pads = tuple(
            same_padding(*axis) for axis in zip(size, kernel, strides, spread, strict=True)
        )
    return {"stride": strides, "padding": pads}


def accumulate(
    name: str, fields: dict[str, Any], inputs: list[Tensor | None], output: Tensor, values: Values
) -> np.ndarray:
    """Return the accumulators of a weighted operator, bias included, channels last."""
    x, weight, bias = inputs
    assert x is not None
    assert weight is not None
    codes, kernel = fetch(x, values), fetch(weight, values)
    if name == "FULLY_CONNECTED":
        acc = linear(codes, kernel, x_zero_point=x.zero_point)
    else:
        order = (3, 0, 1, 2) if name == "DEPTHWISE_CONV_2D" else (0, 3, 1, 2)
        kernel = kernel.transpose(order)
        acc = correlation(
            codes.transpose(0, 3, 1, 2), kernel,
            groups=x.shape[3] // kernel.shape[1],
            dilation=(fields["dilationHFactor"], fields["dilationWFactor"]),
            x_zero_point=x.zero_point,
            **geometry(fields, x.shape[1:3], kernel.shape[2:]),
        ).transpose(0, 2, 3, 1)  # fmt: skip
    if bias is None:
        return acc
    return bias_add(acc, fetch(bias, values), axis=acc.ndim - 1)


def weighted(
    name: str, fields: dict[str, Any], inputs: list[Tensor | None], output: Tensor,
    values: Values, kernels: str,
) -> np.ndarray:  # fmt: skip
    """CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED."""
    x, weight, _ = inputs
    assert x is not None
    assert weight is not None
    acc = accumulate(name, fields, inputs, output, values)
    return rescale(
        acc, name, kernels, x.scale, weight.scale, output.scale, output.zero_point,
        output.dtype, code_range(fields, output),
    )  # fmt: skip


def addition(
    name: str, fields: dict[str, Any], inputs: list[Tensor | None], output: Tensor,
    values: Values, kernels: str,
) -> np.ndarray:  # fmt: skip
    """ADD of int8."""
    a, b = inputs
    assert a is not None
    assert b is not None
    scheme = adder(kernels, a.scale, b.scale, output.scale)
    return add(
        fetch(a, values), fetch(b, values), scheme, a.zero_point, b.zero_point,
        output.zero_point, FixedFormat(8), code_range(fields, output),
    )  # fmt: skip


def pooling(
    name: str, fields: dict[str, Any], inputs: list[Tensor | None], output: Tensor,
    values: Values, kernels: str,
) -> np.ndarray:  # fmt: skip
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    (x,) = inputs
    assert x is not None
    codes = fetch(x, values).transpose(0, 3, 1, 2)
    kernel = fields["filterHeight"], fields["filterWidth"]
    function: Callable[..., Any] = avg_pool if name == "AVERAGE_POOL_2D" else max_pool
    pooled = function(codes, kernel, **geometry(fields, x.shape[1:3], kernel))
    return pooled.transpose(0, 2, 3, 1).clip(*code_range(fields, output))


def reduction(
    name: str, fields: dict[str, Any], inputs: list[Tensor | None], output: Tensor,
    values: Values, kernels: str,
) -> np.ndarray:  # fmt: skip
    """MEAN over height and width."""
    x = inputs[0]
    assert x is not None
    codes = fetch(x, values)
    total = codes.astype(np.int64).sum((1, 2)).reshape(output.shape)
    quants = (x.scale, x.zero_point, output.scale, output.zero_point)
    return mean(total, codes.shape[1] * codes.shape[2], kernels, *quants, keep=fields["keepDims"])


def reshape(
    name: str, fields: dict[str, Any], inputs: list[Tensor | None], output: Tensor,
    values: Values, kernels: str,
) -> np.ndarray:  # fmt: skip
    """RESHAPE."""
    assert inputs[0] is not None
    return fetch(inputs[0], values).reshape(output.shape)


def pad(
    name: str, fields: dict[str, Any], inputs: list[Tensor | None], output: Tensor,
    values: Values, kernels: str,
) -> np.ndarray:  # fmt: skip
    """PAD with the code of real 0."""
    x, sizes = inputs
    assert x is not None
    assert sizes is not None
    assert sizes.data is not None
    return np.pad(fetch(x, values), sizes.data.tolist(), constant_values=x.zero_point)


OPERATORS: dict[str, Callable[..., np.ndarray]] = {
    "CONV_2D": weighted,
    "DEPTHWISE_CONV_2D": weighted,
    "FULLY_CONNECTED": weighted,
    "ADD": addition,
    "AVERAGE_POOL_2D": pooling,
    "MAX_POOL_2D": pooling,
    "MEAN": reduction,
    "PAD": pad,
    "RESHAPE": reshape,
}
