"""Operators whose result is their operand, read at positions known beforehand.

torch itself says at which: the operator is run on numbers that count the operand's elements. So
each spelling, each default and each negative index means here what it means there, and
``qsim.lowering.moving`` needs to know none of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from qsim.graph import nodes
from qsim.lowering import (
    Codes,
    Move,
    NotLowerableError,
    clamp_codes,
    emit_rescale,
    move_or_rescale,
    moves,
    same_params,
)
from qsim.registry import Pattern, Reason

if TYPE_CHECKING:
    import torch
    from torch.fx import Node

    from qsim.lowering import Builder
    from qsim.target import Target

_SAMPLES: Final = 2  # as many show whether one sample's elements come from it alone
_MAX_ELEMENTS: Final = 1 << 25
_BATCH: Final = "it reads across the batch; what moves codes must stay within each sample"
_RUNTIME: Final = "where it reads is computed at run time; moves need constants"

_EXPANDS: Final = frozenset({"expand", "expand_copy", "broadcast_to"})

Way: TypeAlias = tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class _Held:
    """A constant tensor as an argument that can be hashed."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    data: bytes

    def tensor(self) -> torch.Tensor:
        import torch

        if not self.data:
            return torch.empty(self.shape, dtype=self.dtype)
        return torch.frombuffer(bytearray(self.data), dtype=self.dtype).reshape(self.shape)


@dataclass(frozen=True, slots=True)
class _Operand:
    """Where the operand stands among the arguments."""


def _lengths(node: object) -> tuple[int, ...]:
    """Return a shape, -1 for an open batch."""
    shape = nodes.shape(node)
    if shape is None:
        raise NotLowerableError("it reads no tensor")
    if not all(isinstance(size, int) for size in shape[1:]):
        raise NotLowerableError("the size of one of its dimensions depends on values or the batch")
    return tuple(size if isinstance(size, int) else -1 for size in shape)


def _size(node: Node) -> int:
    """Return a size that a graph computes, for so many samples as are tried."""
    from torch.fx.node import map_arg

    name = str(node.target)
    if name == "aten.sym_size.int":
        size = (nodes.shape(node.args[0]) or ())[int(node.args[1])]  # type: ignore[arg-type]
        return size if isinstance(size, int) else _SAMPLES
    if node.op != "call_function" or getattr(node.target, "__module__", "") != "_operator":
        raise NotLowerableError(_RUNTIME)
    return int(node.target(*map_arg(node.args, _size)))  # type: ignore[operator]


def _frozen(node: Node, value: Any) -> Any:
    """Return an argument as a value that can be hashed."""
    from torch.fx import Node

    if isinstance(value, (list, tuple)):
        return tuple(_frozen(node, item) for item in value)
    if not isinstance(value, Node):
        return value
    if value is node.args[0]:
        return _Operand()
    if nodes.shape(value) is None:
        return _size(value)
    tensor = _constant(value).contiguous()
    data = tensor.numpy().tobytes()
    return _Held(tensor.dtype, tuple(tensor.shape), data)


def _constant(value: Node) -> torch.Tensor:
    """Return a constant, for so many samples as are tried where it is expanded to the batch."""
    if nodes.is_parameter(value) and value.graph.owning_module is not None:
        return nodes.attribute(value.graph.owning_module, value)
    if value.op != "call_function" or nodes.operator_name(value) not in _EXPANDS:
        raise NotLowerableError(_RUNTIME)
    sizes = [size if isinstance(size, int) else _size(size) for size in value.args[1]]  # type: ignore[union-attr,arg-type]
    return _constant(value.args[0]).expand(sizes)  # type: ignore[arg-type]


def _thawed(value: Any, operand: torch.Tensor) -> Any:
    if isinstance(value, tuple):
        return [_thawed(item, operand) for item in value]
    if isinstance(value, _Held):
        return value.tensor()
    return operand if isinstance(value, _Operand) else value


@lru_cache(maxsize=256)
def _ways(
    operator: Any, lengths: tuple[int, ...], arguments: Any, named: Any
) -> Way | str | Reason:
    """Return the primitives of an operator, or why there are none; without the batch."""
    import torch

    if math.prod(map(abs, lengths)) > _MAX_ELEMENTS:
        return f"its operand has more than {_MAX_ELEMENTS:,} elements"
    open_batch = lengths[:1] == (-1,)
    shape = (_SAMPLES, *lengths[1:]) if open_batch else lengths
    count = math.prod(shape)
    # Nearest neighbours of float32 are computed in float32: its own, as far as it counts.
    kind = torch.float32 if count < 1 << 24 else torch.float64
    if kind is torch.float64 and "upsample" in str(operator):
        return f"its operand has more than {1 << 24:,} elements"
    x = torch.arange(1, count + 1).to(kind).reshape(shape)

    def run(values: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = operator(
            *_thawed(arguments, values), **{name: _thawed(held, values) for name, held in named}
        )
        return found

    try:
        result = run(x)
    except (RuntimeError, IndexError, ValueError) as error:
        return f"torch cannot compute it: {(str(error).splitlines() or ['no reason'])[0][:120]}"
    if "col2im" in str(operator) and not bool((run(torch.ones_like(x)) == 1).all()):
        return "its windows overlap or leave gaps: it adds, it does not only move"
    positions = result.contiguous().numpy().astype(np.int64) - 1
    if not positions.size:
        return Reason("empty", "its result has no elements")
    if not positions.ndim:
        return "its result is a number, not a tensor of one dimension or more"
    if (positions < 0).any():
        return "it pads with zeros between; pad first"
    if not open_batch:
        return moves(lengths, positions)
    each = count // _SAMPLES
    if positions.shape[0] != _SAMPLES or (positions[1] - each != positions[0]).any():
        return _BATCH
    if not ((positions[0] >= 0) & (positions[0] < each)).all():
        return _BATCH
    return _with_ranks(lengths, positions[0])


def _with_ranks(lengths: tuple[int, ...], positions: Any) -> Way:
    """Return the primitives of one sample; one of a single element is a tensor of that element."""
    flat = positions.reshape(positions.shape or (1,))
    way = moves(lengths[1:] or (1,), flat)
    if way and not lengths[1:]:
        way = (Move("reshape", (1,)), *way)
    if flat.shape != positions.shape and lengths[1:]:
        way = (*way, Move("reshape", ()))
    return way


def way(node: Node) -> Way:
    """Return the primitives of a node of a float graph.

    Raises:
        NotLowerableError: says why it has none.
    """
    if not nodes.is_float(node):
        raise NotLowerableError(Reason.of_type(nodes.kind(node), made=True))
    lengths = _lengths(node.args[0])
    _require_batch(node, lengths)
    arguments = tuple(_frozen(node, value) for value in node.args)
    named = tuple((name, _frozen(node, value)) for name, value in node.kwargs.items())
    found = _ways(node.target, lengths, arguments, named)
    if isinstance(found, (str, Reason)):
        raise NotLowerableError(found)
    return found


def _require_batch(node: Node, lengths: tuple[int, ...]) -> None:
    """Refuse what changes the batch; what happens to keep it for a few samples among it."""
    name = nodes.operator_name(node)
    if "pad" in name and _pads_constant(node):
        raise NotLowerableError("it pads with a constant")
    if lengths[:1] != (-1,):
        return
    before, after = nodes.shape(node.args[0]) or (), nodes.shape(node) or ()
    # Symbols are compared by their text: `==` on them would guard on the answer.
    if str(before[0]) != str(next(iter(after), None)):
        raise NotLowerableError(_BATCH)
    if name == "roll":
        dims = nodes.argument(node, 2, "dims", None)
        dims = [dims] if isinstance(dims, int) else list(dims or [0])
        if any(int(dim) % len(lengths) == 0 for dim in dims):
            raise NotLowerableError(_BATCH)


def _pads_constant(node: Node) -> bool:
    plain = "constant_pad" in str(node.target) or (
        str(node.target) == "aten.pad.default"
        and nodes.argument(node, 2, "mode", "constant") == "constant"
    )
    amounts: Any = node.args[1]
    return plain and any(not isinstance(amount, int) or amount > 0 for amount in amounts)


def _check(node: Node) -> bool:
    try:
        way(node)
    except NotLowerableError:
        return False
    return True


def _why(node: Node) -> str | Reason:
    try:
        way(node)
    except NotLowerableError as error:
        return error.reason
    return "no primitive computes it with these arguments"


def _primitives(node: Node, target: Target) -> tuple[str, ...]:
    del target
    return tuple(dict.fromkeys(move.primitive for move in way(node)))


def _lower(builder: Builder) -> None:
    """Emit the primitives of an operator, each with the batch in front."""
    match = builder.match
    source, result = match.operands[0], match.result
    if (source.shape[:1] == (-1,)) != (result.shape[:1] == (-1,)):
        raise NotLowerableError(_BATCH)
    found = way(match.origin)
    if not found:
        _lower_clamp(builder)
        return
    batch = source.shape[:1] if source.shape[:1] == (-1,) else ()
    for number, move in enumerate(found):
        shape = (*batch, *move.shape)
        attributes = move.written(batch)
        inputs: tuple[str, ...] = (source.name,)
        if move.primitive == "gather":
            table = np.array(move.indices, np.int32)
            inputs = (source.name, builder.constant(f"indices{number}", table))
        if number == len(found) - 1:
            move_or_rescale(builder, move.primitive, source, attributes, inputs)
            return
        spec = builder.intermediate(move.primitive, shape, source.params.format)
        name = builder.call(move.primitive, inputs, spec, attributes)
        source = Codes(name, source.params, shape)


def _lower_clamp(builder: Builder) -> None:
    """Emit what is left where nothing moves: the activation behind it, or other parameters."""
    source, clamp = builder.match.operands[0], clamp_codes(builder)
    if clamp is None or not same_params(source, builder.match.result):
        emit_rescale(builder, source.name, source.params, clamp=clamp)
        return
    low, high = clamp
    builder.call("clamp", (source.name,), builder.result(), {"lo": low, "hi": high})


_OVERLOADS: Final = """
slice.Tensor slice_copy.Tensor select.int select_copy.int narrow.default narrow_copy.default
index.Tensor index_select.default take.default take_along_dim.default gather.default
expand.default expand_copy.default broadcast_to.default
repeat.default tile.default repeat_interleave.self_int repeat_interleave.self_Tensor
flip.default fliplr.default flipud.default roll.default rot90.default fft_fftshift.default
fft_ifftshift.default pixel_shuffle.default pixel_unshuffle.default channel_shuffle.default
native_channel_shuffle.default unfold.default unfold_copy.default im2col.default col2im.default
diagonal.default diagonal_copy.default ravel.default squeeze.default
mT.default movedim.int movedim.intlist moveaxis.int moveaxis.intlist unflatten.int
numpy_T.default mH.default matrix_H.default adjoint.default
pad.default constant_pad_nd.default reflection_pad1d.default reflection_pad2d.default
reflection_pad3d.default replication_pad1d.default replication_pad2d.default
replication_pad3d.default upsample_nearest1d.vec upsample_nearest2d.vec upsample_nearest3d.vec
upsample_nearest1d.default upsample_nearest2d.default upsample_nearest3d.default
_upsample_nearest_exact1d.vec _upsample_nearest_exact2d.vec _upsample_nearest_exact3d.vec
_upsample_nearest_exact1d.default _upsample_nearest_exact2d.default
_upsample_nearest_exact3d.default
"""

PATTERN: Final = Pattern(
    name="move",
    overloads=tuple(_OVERLOADS.split()),
    primitives=_primitives,
    lower=_lower,
    check=_check,
    why=_why,
    sharing=True,
    moving=True,
    takes_clamps=True,
)
