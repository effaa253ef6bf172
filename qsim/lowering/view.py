"""What the lowering reads from a Q/DQ graph: quantization parameters, constants and shapes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from qsim.errors import ModelError
from qsim.graph import attribute
from qsim.registry import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import torch
    from torch.fx import GraphModule, Node

    from hw_models import FixedFormat

    FloatLike: TypeAlias = float | npt.NDArray[np.float64]


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
class Constant:
    """A constant tensor of codes, as a dequantize node of the graph states it.

    Attributes:
        codes: integers, in the layout of the graph.
        scale: real value of one code; one per channel along ``axis``, or a scalar.
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

    if not isinstance(node, Node) or not is_dequantize(node):
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
    _, scales, zero_points, axis, low, high = node.args[:6]
    return Constant(
        codes,
        attribute(graph, scales).double().numpy(),  # type: ignore[arg-type]
        attribute(graph, zero_points).long().numpy(),  # type: ignore[arg-type]
        int(axis) % codes.ndim,  # type: ignore[arg-type]
        code_format(int(low), int(high)),  # type: ignore[arg-type]
    )


@dataclass(slots=True)
class Shapes:
    """Shapes of every float or integer tensor of a graph; dimension 0 is -1 where it is the batch.

    Found by running the graph on tensors without data for two batch sizes: a dimension that
    differs depends on the batch. This needs no metadata, which converted graphs lack in places.
    """

    found: dict[Node, tuple[int, ...]] = field(default_factory=dict)
    mixed: set[Node] = field(default_factory=set)

    def of(self, node: Node) -> tuple[int, ...]:
        """Return a node's shape, or raise NotLowerableError where the batch is not dimension 0."""
        if node in self.mixed:
            raise NotLowerableError(
                Reason("batch", "the batch is mixed into another dimension of its result")
            )
        if node not in self.found:
            raise NotLowerableError("its result is not a tensor")
        return self.found[node]


def infer_shapes(graph: GraphModule, inputs: Sequence[torch.Tensor], *, batch: bool) -> Shapes:
    """Return the shapes of every tensor in the graph."""
    shapes = Shapes()
    if not batch:
        shapes.found = _shapes_at(graph, inputs)
        return shapes
    # Neither size is likely to be a constant dimension of the network by accident.
    first, second = (_shapes_at(graph, [_rebatch(x, n) for x in inputs]) for n in (7, 11))
    for node, at_seven in first.items():
        at_eleven = second[node]
        moved = [i for i, (a, b) in enumerate(zip(at_seven, at_eleven, strict=True)) if a != b]
        if moved in ([], [0]) and (not moved or at_seven[0] == 7):
            shapes.found[node] = (-1, *at_seven[1:]) if moved else at_seven
        else:
            shapes.mixed.add(node)
    return shapes


def _rebatch(x: torch.Tensor, size: int) -> torch.Tensor:
    return x[:1].expand(size, *x.shape[1:])


def _shapes_at(graph: GraphModule, inputs: Sequence[torch.Tensor]) -> dict[Node, tuple[int, ...]]:
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx import Interpreter

    found: dict[Node, tuple[int, ...]] = {}

    class Recorder(Interpreter):
        def run_node(self, n: Node) -> Any:
            result = super().run_node(n)
            if isinstance(result, torch.Tensor):
                found[n] = tuple(int(d) for d in result.shape)
            return result

    with FakeTensorMode(allow_non_fake_inputs=True) as mode, torch.no_grad():
        try:
            Recorder(graph).run(*[mode.from_tensor(x.contiguous()) for x in inputs])
        except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(
                f"the quantized graph does not run on shapes alone: {reason[:200]}",
                accepted="a graph whose shapes do not depend on data",
            ) from error
    return found
