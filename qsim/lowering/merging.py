"""Moves that follow one another in a Program become as few as read the same positions.

An operator is lowered alone, and ``x[:, 1:3, ::2]`` is two operators. Where nothing else reads what
lies between, the primitives are found once more, for the whole chain. Chains of reshapes and
permutes alone stay as they are: each is what one operator of the model says.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.lowering.moving import Move, moves
from qsim.program import Call, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from qsim.lowering.moving import Positions

    Constants = dict[str, npt.NDArray[np.generic]]

_PICKS: Final = frozenset({"strided_slice", "gather"})
_MOVES: Final = _PICKS | {"reshape", "permute"}
_MAX_ELEMENTS: Final = 1 << 25


def merge_moves(
    calls: Sequence[Call],
    tensors: dict[str, TensorSpec],
    constants: Constants,
    outputs: Sequence[str],
) -> list[Call]:
    """Return calls in which chains of moves are as short as they can be.

    Args:
        calls: in order.
        tensors: what they read and make; those between are exchanged.
        constants: likewise.
        outputs: tensors that must stay.
    """
    result = list(calls)
    for chain in _chains(calls, outputs):
        made = _merged(chain, tensors, constants, {call.name for call in result})
        if made is None:
            continue
        at = result.index(chain[0])
        dropped = set(map(id, chain))
        result = [call for call in result if id(call) not in dropped]
        result[at:at] = made
    return result


def _chains(calls: Sequence[Call], outputs: Sequence[str]) -> Iterator[list[Call]]:
    """Give the chains of moves, longest first, in which each result has one reader, the next."""
    readers = Counter(name for call in calls for name in call.inputs)
    readers.update(outputs)
    chains: dict[str, list[Call]] = {}
    for call in calls:
        if call.primitive not in _MOVES:
            continue
        source = call.inputs[0]
        before = chains.pop(source, []) if readers[source] == 1 else []
        chains[call.output] = [*before, call]
    for chain in chains.values():
        if len(chain) > 1 and any(call.primitive in _PICKS for call in chain):
            yield chain


def _merged(
    chain: list[Call], tensors: dict[str, TensorSpec], constants: Constants, taken: set[str]
) -> list[Call] | None:
    """Return the calls that do what a chain does, None where no fewer do."""
    source = tensors[chain[0].inputs[0]]
    batch = source.shape[:1] if source.shape[:1] == (-1,) else ()
    lengths = source.shape[len(batch) :]
    if not lengths or math.prod(lengths) > _MAX_ELEMENTS:
        return None
    positions = np.arange(math.prod(lengths), dtype=np.int64).reshape(lengths)
    for call in chain:
        positions = _moved(positions, call, tensors[call.output].shape, len(batch), constants)
    way = moves(lengths, positions) or (Move("reshape", positions.shape),)
    if not positions.ndim or len(way) >= len(chain):
        return None
    for call in chain:
        for name in call.inputs[1:]:
            constants.pop(name)
        if call is not chain[-1]:
            tensors.pop(call.output)
    taken = (taken | set(tensors)) - {call.name for call in chain}
    return _calls(way, chain[-1], chain[0].inputs[0], tensors, constants, taken)


def _calls(
    way: Sequence[Move],
    last: Call,
    name: str,
    tensors: dict[str, TensorSpec],
    constants: Constants,
    taken: set[str],
) -> list[Call]:
    """Write the calls of a chain as those of its last operator: no other's result is among them."""
    found: list[Call] = []
    batch = tensors[name].shape[:1] if tensors[name].shape[:1] == (-1,) else ()
    for number, move in enumerate(way, 1):
        own = _unique(f"{last.name.rsplit('.', 1)[0]}.{move.primitive}", taken)
        output = last.output if number == len(way) else own
        inputs: tuple[str, ...] = (name,)
        if move.primitive == "gather":
            inputs = (name, f"{output}.indices")
            constants[inputs[1]] = np.array(move.indices, np.int32)
        if output is own:
            spec = tensors[last.output]
            tensors[own] = TensorSpec(own, (*batch, *move.shape), spec.format)
        name = output
        found.append(Call(own, last.layer, move.primitive, inputs, name, move.written(batch)))
    return found


def _unique(name: str, taken: set[str]) -> str:
    """Return a name that no call and no tensor has, and take it."""
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    taken.add(unique)
    return unique


def _moved(
    x: Positions, call: Call, shape: tuple[int, ...], batch: int, constants: Constants
) -> Positions:
    """Return what a call makes of one sample."""
    attributes: Any = call.attributes
    match call.primitive:
        case "reshape":
            return x.reshape(shape[batch:])
        case "permute":
            return x.transpose([dim - batch for dim in attributes["dims"][batch:]])
        case "gather":
            axis = attributes["axis"] - batch
            return np.take(x, constants[call.inputs[1]].astype(np.int64), axis=axis)
    for axis, (start, step, size) in enumerate(
        zip(*(attributes[name][batch:] for name in ("starts", "steps", "sizes")), strict=True)
    ):
        x = np.take(x, start + step * np.arange(size), axis=axis)
    return x
