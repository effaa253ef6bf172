"""What ExecuTorch's quantized kernels demand of their arguments, asked before they are called.

Built for devices, they end the process where an argument does not fit; so every demand of theirs is
checked here first. The numbers are theirs: ``quantize`` multiplies by the float32 reciprocal of the
scale, rounds to even, and adds the zero point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

_FLOATS: Final = (torch.float32, torch.float64)
_CODES: Final = (torch.uint8, torch.int8, torch.int16, torch.int32)
_INTEGERS: Final = (torch.int32, torch.int64)
_RANGE: Final = (-(2**31), 2**31 - 1)


def _demand(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


def _same_shape(input_: torch.Tensor, out: torch.Tensor) -> None:
    _shaped(out, input_.shape)
    _demand(out.shape == input_.shape, "the shapes of input and out differ")


def _shaped(out: torch.Tensor, shape: tuple[int, ...]) -> None:
    """Give an out tensor without elements the shape of the result: the kernels find no memory."""
    if out.numel() == 0:
        out.resize_(shape)


def _quantize(
    input_: torch.Tensor, low: int, high: int, dtype: torch.dtype, out: torch.Tensor
) -> None:
    _demand(input_.dtype in _FLOATS, f"its input is {input_.dtype}, not float32 or float64")
    _demand(out.dtype == dtype, f"its out tensor is {out.dtype}, and its dtype {dtype}")
    _demand(dtype in _CODES, f"its dtype is {dtype}")
    limits = torch.iinfo(dtype)
    _demand(limits.min <= low and high <= limits.max, f"{dtype} does not hold {low} to {high}")
    _same_shape(input_, out)


def _dequantize(
    input_: torch.Tensor,
    low: int,
    high: int,
    dtype: torch.dtype,
    out_dtype: torch.dtype | None,
    out: torch.Tensor,
) -> None:
    _demand(input_.dtype in _CODES, f"its input is {input_.dtype}")
    _demand(input_.dtype == dtype, f"its input is {input_.dtype}, and its dtype {dtype}")
    _demand(out.dtype in _FLOATS, f"its out tensor is {out.dtype}, not float32 or float64")
    _demand(out_dtype in (None, out.dtype), f"its out tensor is {out.dtype}, not {out_dtype}")
    _demand(low <= high, f"its codes range from {low} to {high}")
    _same_shape(input_, out)


def _parameters(
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    count: int,
    scales: tuple[torch.dtype, ...] = (torch.float64,),
    zero_points: tuple[torch.dtype, ...] = (torch.int64,),
) -> None:
    _demand(scale.dtype in scales, f"its scale is {scale.dtype}")
    _demand(scale.numel() == count, f"it has {scale.numel()} scales for {count} channels")
    _demand(scale.is_contiguous(), "its scales are not contiguous")
    if zero_point is None:
        return
    _demand(zero_point.dtype in zero_points, f"its zero point is {zero_point.dtype}")
    _demand(zero_point.numel() == count, f"it has {zero_point.numel()} zero points, not {count}")
    _demand(zero_point.is_contiguous(), "its zero points are not contiguous")


def _within(zero_point: torch.Tensor | None, low: int, high: int) -> None:
    if zero_point is None or zero_point.is_meta or zero_point.numel() == 0:
        return
    least, most = (int(bound) for bound in zero_point.aminmax())
    _demand(low <= least and most <= high, f"zero points {least} to {most} are not {low} to {high}")


def _finite(input_: torch.Tensor) -> None:
    _demand(input_.numel() > 0, "its input is empty")
    _demand(input_.is_meta or bool(input_.isfinite().all()), "its input holds NaN or infinity")


def _axis(input_: torch.Tensor, axis: int) -> int:
    _demand(-input_.dim() <= axis < input_.dim(), f"its axis is {axis} of {input_.dim()}")
    return int(input_.shape[axis])


# From here on every guard takes what its operator takes, by the schema: the lists are alike.
def _quantize_per_tensor(
    input_: Any, scale: Any, zero_point: Any, low: Any, high: Any, dtype: Any, *, out: Any
) -> None:
    if isinstance(scale, torch.Tensor):
        _parameters(scale, zero_point, 1)
    else:
        _demand(_RANGE[0] <= zero_point <= _RANGE[1], f"its zero point is {zero_point}")
        _demand(scale > 0, f"its scale is {scale}")
    _quantize(input_, low, high, dtype, out)


def _dequantize_per_tensor(
    input_: Any,
    scale: Any,
    zero_point: Any,
    low: Any,
    high: Any,
    dtype: Any,
    *,
    out_dtype: Any = None,
    out: Any,
) -> None:
    if isinstance(scale, torch.Tensor):
        _parameters(scale, zero_point, 1)
    else:
        _demand(_RANGE[0] <= zero_point <= _RANGE[1], f"its zero point is {zero_point}")
    _dequantize(input_, low, high, dtype, out_dtype, out)


def _quantize_per_channel(
    input_: Any, scales: Any, zero: Any, axis: Any, low: Any, high: Any, dtype: Any, *, out: Any
) -> None:
    _parameters(scales, zero, _axis(input_, axis))
    _quantize(input_, low, high, dtype, out)


def _dequantize_per_channel(
    input_: Any,
    scales: Any,
    zero: Any,
    axis: Any,
    low: Any,
    high: Any,
    dtype: Any,
    *,
    out_dtype: Any = None,
    out: Any,
) -> None:
    _demand(axis >= 0, f"its axis is {axis}")
    _parameters(scales, zero, _axis(input_, axis), _FLOATS, _INTEGERS)
    _within(zero, low, high)
    _dequantize(input_, low, high, dtype, out_dtype, out)
    # The kernel takes channels from memory as if the dimensions lay there in their order.
    _demand(input_.is_contiguous(), "its input is not in the default dim order")


def _tokens(input_: torch.Tensor) -> int:
    _demand(input_.dim() >= 2, f"its input has {input_.dim()} dimensions, not 2 or more")
    _demand(input_.is_contiguous(), "its input is not in the default dim order")
    return int(input_.shape[:-1].numel())


def _quantize_per_token(
    input_: Any, scales: Any, zero: Any, low: Any, high: Any, dtype: Any, *, out: Any
) -> None:
    _parameters(scales, zero, _tokens(input_), _FLOATS)
    _quantize(input_, low, high, dtype, out)


def _dequantize_per_token(
    input_: Any, scales: Any, zero: Any, low: Any, high: Any, dtype: Any, made: Any, *, out: Any
) -> None:
    _parameters(scales, zero, _tokens(input_), _FLOATS)
    _within(zero, low, high)
    _dequantize(input_, low, high, dtype, made, out)


def _choose(
    input_: Any, low: Any, high: Any, eps: Any, dtype: Any, *, scale_out: Any, zero_point_out: Any
) -> None:
    _demand(input_.dtype == torch.float32, f"its input is {input_.dtype}, not float32")
    _finite(input_)
    _demand(dtype in _CODES and low < high, f"its codes are {dtype} from {low} to {high}")
    _demand(eps > 0, f"its eps is {eps}")
    for made in (scale_out, zero_point_out):
        _shaped(made, (1,))
        _demand(made.numel() == 1, f"an out tensor has {made.numel()} elements, not 1")
    _demand(scale_out.dtype == torch.float64, f"its scale is {scale_out.dtype}")
    _demand(zero_point_out.dtype == torch.int64, f"its zero point is {zero_point_out.dtype}")


def _choose_per_token(input_: Any, dtype: Any, *, scale_out: Any, zero_point_out: Any) -> None:
    count = _tokens(input_)
    _demand(input_.dtype == torch.float32, f"its input is {input_.dtype}, not float32")
    _finite(input_)
    _demand(dtype == torch.int8, f"its dtype is {dtype}, not int8")
    for made in (scale_out, zero_point_out):
        _shaped(made, (*input_.shape[:-1], 1))
        _demand(made.numel() == count, f"an out tensor has {made.numel()} elements")
    _demand(scale_out.dtype == torch.float64, f"its scale is {scale_out.dtype}")
    _demand(zero_point_out.dtype == torch.int64, f"its zero point is {zero_point_out.dtype}")


_GUARDS: Final[dict[str, Callable[..., None]]] = {
    "quantize_per_tensor.out": _quantize_per_tensor,
    "quantize_per_tensor.Tensor_out": _quantize_per_tensor,
    "quantize_per_channel.out": _quantize_per_channel,
    "quantize_per_token.out": _quantize_per_token,
    "dequantize_per_tensor.out": _dequantize_per_tensor,
    "dequantize_per_tensor.Tensor_out": _dequantize_per_tensor,
    "dequantize_per_channel.out": _dequantize_per_channel,
    "dequantize_per_token.out": _dequantize_per_token,
    "choose_qparams.Tensor_out": _choose,
    "choose_qparams_per_token_asymmetric.out": _choose_per_token,
}
GUARDS: Final = {f"quantized_decomposed::{name}": guard for name, guard in _GUARDS.items()}
