"""What the float32 forms read: values of run time, constants and numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.graph import attribute, nodes
from qsim.lowering import NotLowerableError
from qsim.registry import Reason

if TYPE_CHECKING:
    from torch.fx import Node

    from qsim.lowering import Builder


def tensors(node: Node) -> tuple[Node, ...]:
    """Return the tensors among the first two arguments."""
    from torch.fx import Node

    return tuple(item for item in node.args[:2] if isinstance(item, Node))


def shape_of(builder: Builder, item: Any) -> tuple[int, ...]:
    """Return the shape of an operand, constant or not, -1 for an open batch."""
    if nodes.is_parameter(item):
        return tuple(attribute(builder.graph, item).shape)
    return builder.match.real(item).shape


def operand(builder: Builder, item: Any, role: str) -> str:
    """Return the name of a float32 operand; what is constant becomes a constant.

    Raises:
        NotLowerableError: it is no float32 value.
    """
    if isinstance(item, (int, float)) and not isinstance(item, bool):
        return number(builder, float(item), role)
    if nodes.is_parameter(item):
        return builder.constant(role, table(builder, item))
    return builder.match.real(item).name


def number(builder: Builder, value: float, role: str) -> str:
    """Return the name of a constant of one number, rounded to float32 as torch rounds it."""
    with np.errstate(over="ignore", under="ignore"):
        narrow = np.array([value], np.float32)
    if math.isnan(value):
        raise NotLowerableError("one operand is NaN")
    return builder.constant(role, narrow)


def table(builder: Builder, node: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return a constant of the graph in float32.

    Raises:
        NotLowerableError: it is of another type.
    """
    values = attribute(builder.graph, node).detach()
    if str(values.dtype) != "torch.float32":
        raise NotLowerableError(Reason.of_type(nodes.kind(node)))
    found: np.ndarray[Any, np.dtype[np.float32]] = values.contiguous().numpy()
    return found


def require_floats(builder: Builder) -> None:
    """Refuse an operator that reads or makes anything but float32 values."""
    node = builder.match.origin
    for item in (node, *tensors(node)):
        if not nodes.is_float(item):
            raise NotLowerableError(Reason.of_type(nodes.kind(item)))
