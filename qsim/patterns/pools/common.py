"""What the patterns of pools share: their dimensions, and inputs without a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qsim.graph import nodes
from qsim.lowering import flat_shape, move_or_rescale
from qsim.program import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.fx import Node

    from qsim.lowering import Builder
    from qsim.lowering.builder import Codes
    from qsim.target import Target


def dimensions(node: Node) -> int:
    """Return the spatial dimensions that a pool is named after: 2 of ``avg_pool2d``."""
    return int(nodes.operator_name(node).partition("pool")[2][0])


def is_batched(node: Node) -> bool:
    """Return whether the input is N, C, *spatial; torch also takes C, *spatial."""
    return nodes.has_rank(node.args[0], dimensions(node) + 2)


def known(node: Node) -> bool:
    """Return whether the rank of the input is one of the two that torch takes."""
    return is_batched(node) or nodes.has_rank(node.args[0], dimensions(node) + 1)


def needs(*names: str) -> Callable[[Node, Target], tuple[str, ...]]:
    """Return the ``primitives`` of a pool: without a batch, its input is reshaped as well."""
    return lambda node, _: names if is_batched(node) else ("reshape", *names)


def spatial_input(builder: Builder) -> Codes:
    """Return the input as N, C, *spatial.

    Without a batch its first dimension becomes N and C is 1: a pool treats them alike.
    """
    source = builder.match.operands[0]
    if len(source.shape) == dimensions(builder.match.anchor) + 2:
        return source
    shape = (source.shape[0], 1, *source.shape[1:])
    params = source.params
    name = f"{builder.match.anchor.name}.batched"
    spec = TensorSpec(name, shape, params.format, params.scale, params.zero_point)
    held = builder.call("reshape", (source.name,), spec, {"shape": [0, *shape[1:]]})
    return replace(source, name=held, shape=shape)


def emit(builder: Builder, primitive: str, source: Codes, attributes: dict[str, Any]) -> None:
    """Emit a pool of ``spatial_input`` that keeps its parameters, then what the graph asks for."""
    made = builder.match.result.shape
    if source is builder.match.operands[0]:
        move_or_rescale(builder, primitive, source, attributes)
        return
    params = source.params
    pooled = (made[0], 1, *made[1:])
    name = f"{builder.match.anchor.name}.{primitive}"
    spec = TensorSpec(name, pooled, params.format, params.scale, params.zero_point)
    held = builder.call(primitive, (source.name,), spec, attributes)
    kept = replace(source, name=held, shape=pooled)
    move_or_rescale(builder, "reshape", kept, {"shape": flat_shape(made)})


def window(node: Node, rank: int) -> dict[str, Any]:
    """Return kernel, stride and padding of a pool that is not adaptive."""
    kernel = nodes.per_dimension(nodes.argument(node, 1, "kernel_size"), rank)
    return {
        "kernel": kernel,
        "stride": nodes.per_dimension(nodes.argument(node, 2, "stride", ()) or kernel, rank),
        "padding": nodes.per_dimension(nodes.argument(node, 3, "padding", 0), rank),
    }


def adaptive(node: Node, source: Codes) -> dict[str, Any]:
    """Return the windows of an adaptive pool: of one kernel where its size divides the input's."""
    sizes = source.shape[2:]
    wanted = nodes.per_dimension(nodes.argument(node, 1, "output_size"), len(sizes))
    if any(size % count for size, count in zip(sizes, wanted, strict=True)):
        kernel, more = None, {"output_size": wanted}
    else:
        kernel = [size // count for size, count in zip(sizes, wanted, strict=True)]
        more = {}
    return {"kernel": kernel, "stride": kernel, "padding": [0] * len(sizes), **more}


def has_windows(node: Node) -> bool:
    """Return whether an adaptive pool's windows follow from its shapes: no size is open, or 0."""
    shape = nodes.shape(node.args[0])
    if shape is None:
        return False
    sizes = (*shape[-dimensions(node) :], *nodes.argument(node, 1, "output_size"))
    return all(isinstance(size, int) and size > 0 for size in sizes)
