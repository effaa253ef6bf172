"""Encodes sums and products of two float32 tensors that broadcast, and functions of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.stream.command import Command
from qsim.stream.copies import copy_words
from qsim.stream.elements import distances
from qsim.stream.joins import placed
from qsim.stream.layout import Layout
from qsim.stream.lines import operand, same_order

if TYPE_CHECKING:
    from qsim.stream.source import Source

_COST: Final = 8  # products that take as long as one element
_FUNCTION_COST: Final = 64


def side(source: Source, name: str, number: int) -> tuple[Layout, tuple[str, ...], dict[int, int]]:
    """Return how operand 0 or 1 lies, its name if it is in the arena, and words of its place."""
    from hw_models.stream import fields as f

    constant = source.program.constants.get(name)
    if constant is None:
        return source.layouts[name], (name,), {}
    x = Layout(constant.shape, tuple(range(constant.ndim)), np.dtype(np.float32))
    words = placed(source, constant.astype(np.float32), x.order)
    place, at = ((f.X_PLACE, f.X), (f.X2_PLACE, f.X2))[number]
    return x, (), {place: words[f.X_PLACE], at: words[f.X]}


def read(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a command of two operands reads, X first; of a constant the words tell it."""
    return (first or second) + second


def encode_pair(source: Source, index: int) -> list[Command]:
    """Encode a sum or a product; neither operand is copied.

    Raises:
        NotInStream: more dimensions than a descriptor has.
    """
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    y = source.layouts[call.output]
    (x, first, words), (x2, second, more) = (
        side(source, name, number) for number, name in enumerate(call.inputs)
    )
    words |= more | {f.MODE: call.primitive == "float_mul"}
    lies = copy_words(y.memory, distances(x, y), 4, distances(x2, y))
    del lies[f.ITEM]
    reads = read(first, second)
    cost = _COST * y.size
    command = Command((index,), reads, call.output, f.FLOAT_PAIR, words | lies, products=cost)
    return [command]


def encode_function(source: Source, index: int) -> list[Command]:
    """Encode a function of every value.

    Raises:
        NotInStream: a constant operand.
    """
    from hw_models.float32.functions import FUNCTIONS
    from hw_models.stream import fields as f

    call = source.program.calls[index]
    function: Any = call.attributes["function"]
    operand(source, call.inputs[0])
    y = source.layouts[call.output]
    name, copies = same_order(source, index, call.inputs[0], y)
    words = {f.SIZE: y.size, f.MODE: FUNCTIONS.index(function)}
    cost = _FUNCTION_COST * y.size
    command = Command((index,), (name,), call.output, f.FLOAT_FUNCTION, words, products=cost)
    return [*copies, command]
