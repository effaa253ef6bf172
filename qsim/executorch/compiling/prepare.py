"""Rewrites of a program before ExecuTorch takes it apart; none changes what it computes.

* One dequantize for each reader, so that an operator and its operands go into one region, and
  codes, not floats, cross between regions.
* Marks of its own for each masked softmax, so that they go into its region with the mask itself.
* Zeros of its own for each recurrent cell that starts with them, so that they go into its region.
* A copy of codes before a reshape that cannot be a view: ExecuTorch would copy floats there.
* Reshapes and expands that keep an open batch say so by -1, not by a size: a delegate would take
  the size as one more input.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.graph import quiet, read_masked, recurrent, shape
from qsim.lowering import is_dequantize, is_quantize

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

_RESHAPES: Final = frozenset(
    {
        torch.ops.aten.flatten.using_ints,
        torch.ops.aten.reshape.default,
        torch.ops.aten.view.default,
    }
)
_EXPAND: Final = torch.ops.aten.expand.default


def prepare(program: ExportedProgram) -> ExportedProgram:
    """Return a program with these rewrites; the same one where there is nothing to rewrite."""
    if not any(map(_to_rewrite, program.graph.nodes)):
        return program
    with quiet():  # copying one warns of torch's own classes
        changed = copy.deepcopy(program)
    for node in list(changed.graph.nodes):
        if _shared(node):
            _split(node)
        if node.target in recurrent.CELLS:
            _own_zeros(node)
        _own_marks(node)
        if _copies(node):
            _copy_codes(node)
        sizes = _open_shape(node)
        if sizes is not None and node.target is _EXPAND:
            node.args = (node.args[0], sizes)
        elif sizes is not None:
            node.target = torch.ops.aten.reshape.default
            node.args, node.kwargs = (node.args[0], sizes), {}
    changed.graph.eliminate_dead_code()
    changed.graph_module.recompile()
    return changed


def _to_rewrite(node: Node) -> bool:
    own = node.target in recurrent.CELLS or read_masked(node) is not None
    return own or _shared(node) or _copies(node) or _open_shape(node) is not None


def _shared(node: Node) -> bool:
    return is_dequantize(node) and len(node.users) > 1


def _split(node: Node) -> None:
    for reader in list(node.users)[1:]:
        _copy(reader, node)


def _copy(reader: Node, node: Node) -> Node:
    """Let a reader have a copy of a node to itself."""
    with node.graph.inserting_before(node):
        copied = node.graph.node_copy(node, lambda source: source)
    reader.replace_input_with(node, copied)
    return copied


def _own_marks(softmax: Node) -> None:
    """Copy what reads a mask, where other softmaxes read it too."""
    found = read_masked(softmax)
    if found is None:
        return
    reader = found.fill
    for node in found.marks:
        reader = _copy(reader, node) if len(node.users) > 1 else node


def _own_zeros(cell: Node) -> None:
    """Copy what makes the zeros that a cell starts with, where others read it too."""
    for state in filter(recurrent.is_zero, recurrent.states(cell)):
        reader, made = cell, state
        while made is not None and made.op == "call_function":
            reader = _copy(reader, made) if len(made.users) > 1 else made
            made = next((node for node in reader.all_input_nodes if recurrent.is_zero(node)), None)


def _copies(node: Node) -> bool:
    """Return whether a node reshapes codes that do not lie in the order of their dimensions."""
    source: Any = node.args[0] if node.target in _RESHAPES else None
    if source is None or not is_dequantize(source) or not is_quantize(source.args[0]):
        return False
    value = source.meta["val"]
    wanted: Any = 1
    for size, stride in zip(reversed(value.shape), reversed(value.stride()), strict=True):
        # Symbols are compared by their text: `==` on them would guard on the answer.
        if str(size) != "1" and str(stride) != str(wanted):
            return True
        wanted = wanted * size
    return False


def _copy_codes(reshape: Node) -> None:
    """Let a reshape read a copy that is quantized as what it copies is: the codes are the same."""
    source: Any = reshape.args[0]
    value, codes = source.meta["val"].contiguous(), source.args[0].meta["val"].contiguous()
    with reshape.graph.inserting_before(reshape):
        made = reshape.graph.call_function(
            torch.ops.aten.clone.default,
            (source,),
            {"memory_format": torch.contiguous_format},
        )
        quantize = reshape.graph.call_function(source.args[0].target, (made, *source.args[1:6]))
        again = reshape.graph.call_function(source.target, (quantize, *source.args[1:6]))
    for node, meta in ((made, value), (quantize, codes), (again, value)):
        node.meta = {**reshape.meta, "val": meta}
    reshape.replace_input_with(source, again)


def _open_shape(node: Node) -> list[int] | None:
    """Return the sizes of a reshape whose result is open in dimension 0 alone, -1 in front."""
    kept = node.target is _EXPAND and len(shape(node.args[0]) or ()) == len(shape(node) or ())
    sizes: tuple[Any, ...] | None = shape(node) if kept or node.target in _RESHAPES else None
    if not sizes or isinstance(sizes[0], int) or not all(isinstance(n, int) for n in sizes[1:]):
        return None
    wanted = [-1, *sizes[1:]]
    return None if 0 in wanted or [*node.args[1:2]] == [wanted] else wanted
