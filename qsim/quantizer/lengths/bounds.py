"""Which dimensions of the inputs are the length of a sequence, and within which bounds."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from qsim.errors import InputError, UsageError

if TYPE_CHECKING:
    import torch

    from qsim.graph import Arguments

Lengths: TypeAlias = "Mapping[str, Any] | Sequence[Any]"
_ACCEPTED: Final = '{"tokens": {1: torch.export.Dim("length", min=1, max=128)}}'


@dataclass(frozen=True)
class Bounds:
    """The bounds of a length.

    Attributes:
        least, most: both included.
        axes: the inputs, by position, and the dimensions that have this length.
    """

    least: int
    most: int
    axes: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return f"{self.least} to {self.most}"

    def of(self, inputs: Sequence[torch.Tensor], where: str) -> int:
        """Return the length of inputs.

        Raises:
            InputError: an empty sequence, one beyond the bounds, or inputs that disagree.
        """
        found = {
            index: inputs[index].shape[axis]
            for index, axis in self.axes
            if index < len(inputs) and axis < inputs[index].dim()
        }
        for index, length in found.items():
            if not self.least <= length <= self.most:
                what = "an empty sequence" if length == 0 else f"a sequence of length {length}"
                raise InputError(what, where=f"{where}, input {index}", accepted=f"lengths {self}")
        if len(set(found.values())) > 1:
            raise InputError(
                f"has sequences of lengths {', '.join(map(str, found.values()))}",
                where=where,
                accepted="one length for all inputs",
            )
        return next(iter(found.values()), self.most)

    def resized(self, inputs: tuple[torch.Tensor, ...], length: int) -> tuple[torch.Tensor, ...]:
        """Return inputs of another length: cut, or repeated from the beginning."""
        import torch

        made = list(inputs)
        for index, axis in self.axes:
            own = made[index].shape[axis]
            made[index] = made[index].index_select(axis, torch.arange(length) % own)
        return tuple(made)


def bounds_of(lengths: Lengths | None, model: Any, arguments: Arguments) -> Bounds | None:
    """Return the bounds that are asked for, or that an exported program has; None without any.

    Raises:
        UsageError: ``lengths`` names no input or dimension, has no bounds, or several lengths.
        InputError: an example input is beyond the bounds.
    """
    given = _given(lengths, model, arguments) if lengths is not None else _of_program(model)
    if not given:
        return None
    tensors = arguments.tensors
    for index, axis in given:
        rank = tensors[index].dim()
        if not 1 <= axis < rank and not (axis == 0 and rank == 1 and any(a for _, a in given)):
            zero = "dimension 0 is the batch, free without it" if axis == 0 else f"it has {rank}"
            raise UsageError(
                f"names dimension {axis} of input {index}, but {zero}",
                where="lengths",
                accepted=f"1 to {rank - 1}" if rank > 1 else "an input of two dimensions or more",
            )
    found = set(given.values())
    if len(found) > 1:
        raise UsageError(
            f"has {len(found)} lengths of their own", where="lengths", accepted="one, of any inputs"
        )
    _, least, most = found.pop()
    bounds = Bounds(least, most, tuple(sorted(given)))
    bounds.of(tensors, "example_inputs")
    return None if least == most else bounds


def _given(
    lengths: Lengths, model: Any, arguments: Arguments
) -> dict[tuple[int, int], tuple[str, int, int]]:
    names = _names(model, arguments)
    if isinstance(lengths, Mapping):
        odd = [name for name in lengths if name not in names]
        if odd:
            raise UsageError(
                f"names {odd[0]!r:.60}, which is no input",
                where="lengths",
                accepted=", ".join(names),
            )
        rows = [lengths.get(name) for name in names]
    elif isinstance(lengths, Sequence) and not isinstance(lengths, str):
        rows = list(lengths)
    else:
        raise UsageError(f"is a {type(lengths).__name__}", where="lengths", accepted=_ACCEPTED)
    if len(rows) > len(arguments.tensors):
        raise UsageError(
            f"names {len(rows)} inputs", where="lengths", accepted=f"{len(arguments.tensors)}"
        )
    found: dict[tuple[int, int], Any] = {}
    for index, row in enumerate(rows):
        pairs = row.items() if isinstance(row, Mapping) else enumerate(row or ())
        for axis, dim in pairs:
            if dim is None or isinstance(dim, int):
                continue  # a size that is fixed
            found[index, axis] = dim
    for index, axis in list(found):
        dim = found[index, axis]
        if axis == 0 and not isinstance(dim, tuple) and not _is_shared(dim, found):
            del found[index, axis]  # the batch, which is free anyhow
    if not found:
        raise UsageError("names no dimension", where="lengths", accepted=_ACCEPTED)
    return {place: _dim(dim) for place, dim in found.items()}


def _is_shared(dim: Any, found: Mapping[tuple[int, int], Any]) -> bool:
    """Return whether a Dim of dimension 0 is the length of others: of the positions of tokens."""
    name = getattr(dim, "__name__", None)
    return any(axis and getattr(each, "__name__", "") == name for (_, axis), each in found.items())


def _names(model: Any, arguments: Arguments) -> list[str]:
    if arguments.names is not None:
        return list(arguments.names)
    signature = getattr(model, "graph_signature", None)
    if signature is not None:
        return [str(name) for name in signature.user_inputs]
    return list(inspect.signature(model.forward).parameters)[: len(arguments.tensors)]


def _dim(dim: Any) -> tuple[str, int, int]:
    """Return name and bounds of a Dim or a pair."""
    name: Any = ""
    least: Any
    most: Any
    if isinstance(dim, (tuple, list)) and len(dim) == 2:
        least, most = dim
    else:
        name, least, most = (getattr(dim, each, None) for each in ("__name__", "min", "max"))
    derived = hasattr(dim, "root")
    if derived or not (type(least) is int and type(most) is int and most < 1 << 20):
        raise UsageError(
            f"has {dim!r:.80}, a dimension without bounds of its own",
            where="lengths",
            accepted=_ACCEPTED,
        )
    if not 1 <= least <= most:
        raise UsageError(
            f"has the bounds {least} and {most}", where="lengths", accepted="1 <= min <= max"
        )
    return str(name), least, most


def _of_program(model: Any) -> dict[tuple[int, int], tuple[str, int, int]]:
    """Return the dimensions of an exported program's inputs, but the batch, that are symbols."""
    signature = getattr(model, "graph_signature", None)
    if signature is None:
        return {}
    values = {node.name: node.meta.get("val") for node in model.graph.nodes}
    shapes = [getattr(values.get(name), "shape", ()) for name in signature.user_inputs]
    lengths = {s.node.expr for shape in shapes for s in shape[1:] if not isinstance(s, int)}
    # Dimension 0 is the batch, but of positions: one number for each token.
    positions = {(i, each) for i, s in enumerate(shapes) if len(s) == 1 for each in lengths}
    found = {}
    for index, name in enumerate(signature.user_inputs):
        for axis, size in enumerate(getattr(values.get(name), "shape", ())):
            if isinstance(size, int):
                continue
            expression = size.node.expr
            if axis == 0 and (index, expression) not in positions:
                continue
            limits = model.range_constraints.get(expression)
            upper = None if limits is None else str(limits.upper)
            if upper is None or not upper.isdigit() or int(upper) >= 1 << 20:
                raise UsageError(
                    f"dimension {axis} of input {name!r} is {expression} without an upper bound",
                    where="the exported program",
                    accepted="an export with Dim(..., max=128), or lengths=",
                )
            found[index, axis] = str(expression), max(1, int(limits.lower)), int(upper)
    return found
