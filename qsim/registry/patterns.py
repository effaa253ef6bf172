"""The patterns in order, and which of them takes a node.

Several patterns may claim one overload: the first whose ``check`` accepts the node and whose
primitives the target has is chosen. Registered patterns stand before the built-in ones, in the
order of their registration. The built-in modules are imported when an overload is first looked up.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import UsageError
from qsim.graph import is_float, is_parameter, kind
from qsim.registry.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.fx import Node

    from qsim.registry.pattern import Pattern
    from qsim.target import Target

# Where the module of each stands in ``qsim.patterns``, in the order in which they are asked.
_PLACES: Final[Mapping[str, str]] = {
    "conv": "products.conv",
    "conv_transpose": "products.conv_transpose",
    "linear": "products.linear",
    "addmm": "products.addmm",
    "matmul": "products.matmul",
    "add": "pairs.add",
    "sub": "pairs.sub",
    "mul": "pairs.mul",
    "divide": "pairs.divide",
    "minimum": "pairs.minimum",
    "maximum": "pairs.maximum",
    "concat": "moves.concat",
    "relu": "curves.relu",
    "sigmoid": "curves.sigmoid",
    "tanh": "curves.tanh",
    "prelu": "curves.prelu",
    "arithmetic": "curves.arithmetic",
    "unary": "curves.unary",
    "softmax": "curves.softmax",
    "layer_norm": "norms.layer_norm",
    "rms_norm": "norms.rms_norm",
    "group_norm": "norms.group_norm",
    "max_pool": "pools.max_pool",
    "avg_pool": "pools.avg_pool",
    "window_sum": "pools.window_sum",
    "mean": "mean",
    "resize": "moves.resize",
    "pad": "moves.pad",
    "argmax": "argmax",
    "embedding": "embedding",
    "cache_write": "cache_write",
    "lstm_cell": "cells.lstm",
    "gru_cell": "cells.gru",
    "rnn_cell": "cells.rnn",
    "recurrent": "cells.recurrent",
    "cell_state": "cells.state",
    "reshape": "moves.reshape",
    "permute": "moves.permute",
    "move": "moves.move",
    "identity": "moves.identity",
    "composition": "curves.composition",
    "rotary": "rotary",
    "masked_softmax": "curves.masked_softmax",
}
BUILTIN: Final = tuple(_PLACES)
_registered: dict[str, Pattern] = {}
_table: dict[Any, tuple[Pattern, ...]] = {}


def register(pattern: Pattern) -> None:
    """Add a pattern in front of the built-in ones, behind those registered before it.

    A second time is fine if it is the same one.

    Raises:
        UsageError: another pattern has its name.
    """
    if pattern.name in BUILTIN or _registered.get(pattern.name, pattern) is not pattern:
        raise UsageError(
            "another pattern has its name",
            where=f"pattern {pattern.name!r}",
            accepted="a new name",
        )
    _registered[pattern.name] = pattern
    _table.clear()


def unregister(name: str) -> None:
    """Remove a registered pattern; built-in ones stay."""
    _registered.pop(name, None)
    _table.clear()


def names() -> tuple[str, ...]:
    """Return the names of all patterns, in the order in which they are asked."""
    return (*_registered, *BUILTIN)


def claimed(operator: str) -> bool:
    """Return whether a registered pattern claims an operator, as ``library::op.overload``."""
    return any(operator in pattern.overloads for pattern in _registered.values())


def patterns() -> tuple[Pattern, ...]:
    """Return all patterns, in the order in which they are asked."""
    return (*_registered.values(), *map(builtin, BUILTIN))


def builtin(name: str) -> Pattern:
    """Return a built-in pattern."""
    found: Pattern = import_module(f"qsim.patterns.{_PLACES[name]}").PATTERN
    return found


def candidates(operator: Any) -> tuple[Pattern, ...]:
    """Return the patterns that claim an operator (``node.target``), whatever its arguments."""
    if not _table:
        _table.update(_claims())
    try:
        return _table.get(operator, ())
    except TypeError:  # a target that cannot be hashed is no operator
        return ()


def accepting(node: Node) -> tuple[Pattern, ...]:
    """Return the patterns that compute what a node of a float graph computes, in order."""
    if node.op != "call_function":
        return ()
    return tuple(pattern for pattern in candidates(node.target) if pattern.check(node))


def accepts(node: Node, name: str) -> bool:
    """Return whether the pattern of this name takes a node of a float graph."""
    return any(pattern.name == name for pattern in accepting(node))


def choose(node: Node, target: Target) -> Pattern | None:
    """Return the pattern that lowers a node of a float graph, or None.

    Where the target has the primitives of none that accepts the node, the first of them is
    returned that does not only stand in another's place: what it lacks is the reason for the
    report.
    """
    if node.op != "call_function":
        return None
    first = None
    for pattern in candidates(node.target):
        if not pattern.check(node):
            continue
        if all(target.has(primitive) for primitive in pattern.primitives(node, target)):
            return pattern
        if first is None or first.instead:
            first = pattern
    return first


def why_none(node: Node) -> Reason:
    """Return why no pattern takes a node of a float graph."""
    found = candidates(node.target)
    several = isinstance(node.meta.get("val"), (tuple, list))
    if not found:
        odd = None if several else _odd(node)
        return Reason("operator", "no primitive computes it") if odd is None else odd
    if not (is_float(node) or several) and not found[-1].positions:
        return Reason.of_type(kind(node), made=True)
    return Reason.of(found[-1].why(node))


def _odd(node: Node) -> Reason | None:
    """Return what keeps an operator on the host whichever pattern there were: no float32."""
    if not is_float(node):
        return Reason.of_type(kind(node), made=True)
    read = [each for each in node.all_input_nodes if not is_parameter(each)]
    known = all(each.meta.get("val") is not None for each in read)
    if read and known and not any(map(is_float, read)):
        return Reason.of_type(kind(read[0]))
    return None


def _claims() -> Mapping[Any, tuple[Pattern, ...]]:
    found: dict[Any, tuple[Pattern, ...]] = {}
    for pattern in patterns():
        for name in pattern.overloads:
            operator = _operator(name, pattern.name)
            found[operator] = (*found.get(operator, ()), pattern)
    return found


def _operator(name: str, pattern: str) -> Any:
    """Return the operator that ``conv2d.default`` or ``library::op.default`` names."""
    import torch

    library, _, rest = name.rpartition("::")
    packet, _, overload = rest.partition(".")
    try:
        return getattr(getattr(getattr(torch.ops, library or "aten"), packet), overload)
    except AttributeError:
        raise UsageError(
            f"torch has no operator {name!r}",
            where=f"pattern {pattern!r}",
            accepted="'conv2d.default' of aten, or 'library::op.default' of a registered library",
        ) from None
