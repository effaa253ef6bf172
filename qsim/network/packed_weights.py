"""Weights of 1, 2 or 4 bits in a file: packed in bytes, as the target's memory holds them.

A Program in memory has one code per int8, so that every primitive, trace and golden set reads
weights in one way. A file has them packed in C order, the first code of a byte at its low end.
Which constants are packed follows from the network and its target alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.errors import ModelError
from qsim.program import PRIMITIVES, Array, check_shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qsim.program import Program
    from qsim.target import Target

_WIDTHS: Final = (1, 2, 4)


def _weights(program: Program, target: Target) -> Iterator[str]:
    """Give the name of every constant that a file of this target holds packed."""
    form = target.weight.format
    if form.bits not in _WIDTHS:
        return
    for call in program.calls:
        operands = PRIMITIVES[call.primitive].slots(len(call.inputs))
        for name, operand in zip(call.inputs, operands, strict=True):
            array = program.constants.get(name) if operand == "weight" else None
            if array is not None and array.dtype == form.dtype and form.fits(array):
                yield name


def packed_shapes(program: Program, target: Target) -> dict[str, list[int]]:
    """Return the shape of every constant that is stored packed."""
    return {name: list(program.constants[name].shape) for name in _weights(program, target)}


def pack_weights(program: Program, target: Target) -> dict[str, Array]:
    """Return a Program's constants as a file holds them."""
    from hw_models.packing import pack

    packed = {
        name: pack(program.constants[name], target.weight.format)
        for name in _weights(program, target)
    }
    return {**program.constants, **packed}


def unpack_weights(stored: Mapping[str, Array], shapes: Any, target: Target) -> dict[str, Array]:
    """Return the constants that :func:`pack_weights` stored.

    Args:
        stored: arrays of a file by the constant's name.
        shapes: what :func:`packed_shapes` returned, as read from the file.
        target: of the network.

    Raises:
        ModelError: shapes that do not describe stored constants.
        ContractError: bytes that are not packed codes of the target's weight format.
    """
    from hw_models.packing import unpack

    if not isinstance(shapes, dict) or not set(shapes) <= set(stored):
        raise ModelError.of("packed must give the shapes of constants", shapes, "constant to shape")
    constants = dict(stored)
    for name, shape in shapes.items():
        sizes = check_shape(shape, f"packed constant {name!r}")
        constants[name] = np.asarray(unpack(stored[name], sizes, target.weight.format))
    return constants
