"""What the lowering reads from a Q/DQ graph: quantization parameters and constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from qsim.graph import attribute
from qsim.registry import Reason

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch.fx import GraphModule, Node

    from hw_models import FixedFormat
    from qsim.program import TensorSpec

    FloatLike: TypeAlias = float | npt.NDArray[np.float64]


_GROUPED: Final = "quantized_decomposed.dequantize_per_channel_group.default"


class NotLowerableError(Exception):
    """Why an operator stays on the host.

    Args:
        reason: words for the report, which are about its arguments, or a ``Reason``.
    """

    def __init__(self, reason: str | Reason) -> None:
        self.reason = Reason.of(reason)
        super().__init__(self.reason.text)


@dataclass(frozen=True, slots=True)
class QParams:
    """Per-tensor parameters: real = scale * (code - zero_point)."""

    scale: float
    zero_point: int
    format: FixedFormat


@dataclass(frozen=True, slots=True)
class Reals:
    """A float32 activation: its tensor's name and shape."""

    name: str
    shape: tuple[int, ...]

    @property
    def spec(self) -> TensorSpec:
        """What a Program knows of it."""
        from hw_models import FLOAT32
        from qsim.program import TensorSpec

        return TensorSpec(self.name, self.shape, FLOAT32)


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant tensor of codes, as a dequantize node of the graph states it.

    Attributes:
        codes: integers, in the layout of the graph.
        scale: real value of one code; one per channel along ``axis``, or a scalar; or [outputs,
            groups], one for every group of inputs.
        zero_point: likewise.
        axis: the channel axis, or None per tensor.
        format: the codes' range.
    """

    codes: npt.NDArray[np.integer]
    scale: FloatLike
    zero_point: int | npt.NDArray[np.int64]
    axis: int | None
    format: FixedFormat


def operator_name(node: Node) -> str:
    """Return `aten.conv2d.default` for a call, the op kind for anything else."""
    return str(node.target) if node.op == "call_function" else node.op


def is_quantize(node: Node) -> bool:
    """Return whether a node is a static per-tensor quantize."""
    return operator_name(node) == "quantized_decomposed.quantize_per_tensor.default"


def is_dequantize(node: Node) -> bool:
    """Return whether a node is a static dequantize, per tensor or per channel."""
    return operator_name(node) in (
        "quantized_decomposed.dequantize_per_tensor.default",
        "quantized_decomposed.dequantize_per_channel.default",
    )


def code_format(minimum: int, maximum: int) -> FixedFormat:
    """Return the format whose codes are exactly minimum..maximum."""
    from hw_models import FixedFormat

    bits = (maximum - minimum).bit_length()
    signed = minimum < 0
    narrow = signed and minimum == -maximum
    if 1 <= bits <= 32:
        found = FixedFormat(bits, signed=signed, narrow=narrow and bits > 1)
        if (found.min, found.max) == (minimum, maximum):
            return found
    raise NotLowerableError(
        Reason("scheme", f"codes from {minimum} to {maximum} are no format of 1 to 32 bits")
    )


def tensor_params(node: Node) -> QParams:
    """Return the parameters of a per-tensor quantize or dequantize node."""
    _, scale, zero_point, low, high = node.args[:5]
    return QParams(float(scale), int(zero_point), code_format(int(low), int(high)))  # type: ignore[arg-type]


def constant(graph: GraphModule, node: object) -> Constant:
    """Return the constant codes behind a dequantize node, or raise NotLowerableError."""
    from torch.fx import Node

    grouped = isinstance(node, Node) and operator_name(node) == _GROUPED
    if not isinstance(node, Node) or not (grouped or is_dequantize(node)):
        raise NotLowerableError(
            Reason("operand", "an operand that must be constant codes is not quantized")
        )
    source = node.args[0]
    if not isinstance(source, Node) or source.op != "get_attr":
        raise NotLowerableError(
            Reason("operand", "an operand that must be constant is computed at run time")
        )
    codes = attribute(graph, source).numpy()
    if operator_name(node).endswith("per_tensor.default"):
        params = tensor_params(node)
        return Constant(codes, params.scale, params.zero_point, None, params.format)
    args: Any = node.args
    _, scales, zero_points, axis, low, high = (*args[:3], 0, *args[3:5]) if grouped else args[:6]
    return Constant(
        codes,
        attribute(graph, scales).double().numpy(),
        attribute(graph, zero_points).long().numpy(),
        int(axis) % codes.ndim,
        code_format(int(low), int(high)),
    )
