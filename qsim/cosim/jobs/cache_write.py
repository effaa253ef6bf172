"""Jobs of cache_write: a cache is written, rows at positions replace others, and all is read.

Samples lie in one memory: a row has a part for each index of the dimensions before the axis.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.elementwise import no_rtl, rows_end
from qsim.cosim.jobs.operands import width_of
from qsim.cosim.jobs.unit import Job, Unit
from qsim.errors import UsageError

if TYPE_CHECKING:
    from qsim.cosim.jobs.beats import Words
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target

SOURCES: Final = ("quotient.sv", "cache_write.sv")
# Bits of addresses: a few widths, so that the caches of a network share a unit.
_ADDRESS_BITS: Final = (8, 12, 16, 20)
_POSITION: Final = 32  # bits of a position
_CODE, _REGISTER, _AT, _ROW, _START = range(5)


def job(case: Case, target: Target) -> Job:
    """Return the beats of one call, and the codes that must come out.

    Raises:
        UsageError: a cache of too many codes, or a position of too many bits.
    """
    attributes: Any = case.attributes
    cache, rows = case.operands["cache"], case.operands["rows"]
    axis = attributes["axis"] % cache.ndim
    served = unit(case, target)
    inner = math.prod(cache.shape[axis + 1 :])
    registers = [cache.shape[axis], inner, cache.size - 1, int(attributes["ring"])]
    parts = [
        _beats(served, _CODE, cache, np.arange(cache.size)),
        _beats(served, _REGISTER, np.array(registers), np.arange(len(registers))),
    ]
    for row, position in zip(np.moveaxis(rows, axis, 0), positions(case), strict=True):
        parts += [_beats(served, _AT, np.array([position])), _beats(served, _ROW, row)]
    beats = np.concatenate([*parts, _beats(served, _START, np.zeros(1))])
    y = np.ascontiguousarray(case.expected).reshape(-1).astype(np.int64)
    return Job(
        name=case.name,
        layer=case.layer,
        primitive=case.primitive,
        unit=served,
        beats=beats,
        last=np.arange(len(beats)) == len(beats) - 1,
        expected=served.outputs.pack({"y": y}, y.size),
        expected_last=rows_end((y.size,), y.size),
        field="y",
        element=np.arange(y.size, dtype=np.int64)[:, None],
        shape=case.expected.shape,
    )


def unit(case: Case, target: Target) -> Unit:
    """Return the unit that has room for a cache.

    Raises:
        UsageError: a cache of too many codes.
    """
    cache = case.operands["cache"]
    room = next((bits for bits in _ADDRESS_BITS if cache.size <= 1 << bits), None)
    if room is None:
        raise UsageError(
            **no_rtl(case, f"a cache of {cache.size} codes"),
            accepted=f"at most {1 << _ADDRESS_BITS[-1]}",
        )
    held = [cache, case.operands["rows"]]
    codes = width_of((target.input.format, case.codes["cache"]), held)
    parameters = {
        "CODE_W": codes.bits,
        "ADDRESS_W": room,
        "POSITION_W": _POSITION,
        "VALUE_W": max(codes.bits, _POSITION, room + 1),
    }
    inputs = (
        Field("kind", 3, signed=False),
        Field("address", room, signed=False),
        Field("value", parameters["VALUE_W"], signed=False),
    )
    outputs = Layout((Field("y", codes.bits, codes.signed),))
    return Unit("cache_write", "cache_write", SOURCES, parameters, Layout(inputs), outputs)


def positions(case: Case) -> list[int]:
    """Return the position of every row.

    Raises:
        UsageError: one has too many bits.
    """
    attributes: Any = case.attributes
    count = case.operands["rows"].shape[attributes["axis"]]
    given = [int(position) for position in case.operands["positions"]]
    found = given if len(given) == count else [given[0] + j for j in range(count)]
    most = 1 << (_POSITION - 1)
    wide = next((position for position in found if not -most <= position < most), None)
    if wide is not None:
        raise UsageError(
            **no_rtl(case, f"the position {wide}"), accepted=f"positions of {_POSITION} bits"
        )
    return found


def _beats(served: Unit, kind: int, values: Array, addresses: Array | int = 0) -> Words:
    """Return beats of one kind, values in C order."""
    flat = np.ascontiguousarray(values).reshape(-1).astype(np.int64)
    held = flat & ((1 << served.parameters["VALUE_W"]) - 1)
    fields = {"kind": kind, "address": addresses, "value": held}
    return served.inputs.pack(fields, flat.size)
