"""Jobs of strided_slice, permute, gather and embedding: a tensor is written, then read.

All run on move.sv. For every sample (or for the whole tensor, where samples mix) its codes are
written, for the first one positions and registers too; then comes START. Of an embedding the tensor
is the table, and each row of its indices is a run of its own on the table that is there: positions
are written again, codes are not.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.elementwise import no_rtl, rows_end
from qsim.cosim.jobs.operands import width_of
from qsim.cosim.jobs.reading import apart, reading, samples, source
from qsim.cosim.jobs.unit import Job, Unit
from qsim.errors import UsageError

if TYPE_CHECKING:
    from qsim.cosim.jobs.beats import Words
    from qsim.cosim.jobs.reading import Reading
    from qsim.golden import Case
    from qsim.program import Array
    from qsim.target import Target

SOURCES: Final = ("move_counters.sv", "move_address.sv", "move.sv")
DIMENSIONS: Final = 6
# Bits of addresses: a few widths, so that the calls of a network share a unit.
_ADDRESS_BITS: Final = (8, 12, 16, 20, 24)
# Of the least memory: the widths at which addresses and counters are proved.
WIDTHS: Final = {"ADDRESS_W": _ADDRESS_BITS[0], "DIMENSIONS": DIMENSIONS}
_CODE, _POSITION, _REGISTER, _START = range(4)


def unit(case: Case, target: Target) -> Unit:
    """Return the unit that serves a call: with room for one sample.

    Raises:
        UsageError: a call of too many dimensions, or that reads or makes too many codes.
    """
    return _unit(case, target, _sample(case))


def _sample(case: Case) -> Reading:
    """Return how one sample is read.

    Raises:
        UsageError: it has too many dimensions.
    """
    whole = reading(case)
    made = replace(whole, sizes=(1, *whole.sizes[1:])) if apart(case) else whole
    made = made.at_most(DIMENSIONS)
    if len(made.sizes) > DIMENSIONS:
        raise UsageError(
            **no_rtl(case, f"{len(made.sizes)} dimensions"), accepted=f"at most {DIMENSIONS}"
        )
    return made


def _unit(case: Case, target: Target, sample: Reading) -> Unit:
    x = source(case)
    most = max(x.size // samples(case), *sample.sizes, 1)
    room = next((bits for bits in _ADDRESS_BITS if most <= 1 << bits), None)
    if room is None:
        raise UsageError(
            **no_rtl(case, f"a sample of {most} codes"),
            accepted=f"at most {1 << _ADDRESS_BITS[-1]}",
        )
    table = next(bits for bits in _ADDRESS_BITS if len(sample.positions) <= 1 << bits)
    codes = width_of((target.input.format, case.codes["output"]), [x])
    parameters = {
        "CODE_W": codes.bits,
        "ADDRESS_W": room,
        "TABLE_W": table,
        "DIMENSIONS": DIMENSIONS,
        "VALUE_W": max(codes.bits, room),
    }
    inputs = (
        Field("kind", 2, signed=False),
        Field("address", room, signed=False),
        Field("value", parameters["VALUE_W"], signed=False),
    )
    outputs = Layout((Field("y", codes.bits, codes.signed),))
    return Unit(case.primitive, "move", SOURCES, parameters, Layout(inputs), outputs)


def job(case: Case, target: Target) -> Job:
    """Return the beats of one call, and the codes that must come out.

    Raises:
        UsageError: as ``unit``.
    """
    sample = _sample(case)
    served = _unit(case, target, sample)
    y = np.ascontiguousarray(case.expected).reshape(-1)
    runs = _reads(case, served) if case.primitive == "embedding" else _moves(case, served, sample)
    beats, count = np.concatenate(runs), len(runs)
    kind = served.inputs.unpack(beats)["kind"][:, 0]
    return Job(
        name=case.name,
        layer=case.layer,
        primitive=case.primitive,
        unit=served,
        beats=beats,
        last=np.asarray(kind == _START, np.bool_),
        expected=served.outputs.pack({"y": y.astype(np.int64)}, y.size),
        expected_last=rows_end((y.size // count,), y.size),
        field="y",
        element=np.arange(y.size, dtype=np.int64)[:, None],
        shape=case.expected.shape,
    )


def _moves(case: Case, served: Unit, sample: Reading) -> list[Words]:
    """Return the beats of every sample: its codes, of the first one the registers, and START."""
    codes = np.ascontiguousarray(source(case)).reshape(samples(case), -1).astype(np.int64)
    written = _registers(served, sample)
    return [_run(served, each, written[: 0 if n else None]) for n, each in enumerate(codes)]


def _reads(case: Case, served: Unit) -> list[Words]:
    """Return the beats of every row of indices: only the first one's write table and registers."""
    indices = case.operands["indices"]
    rows = indices.reshape(-1, indices.shape[-1] if indices.ndim else 1).astype(np.int64)
    whole = reading(case).at_most(DIMENSIONS)
    sizes, first = (rows.shape[1], *whole.sizes[1:]), tuple(rows[0].tolist())
    written = _registers(served, replace(whole, sizes=sizes, positions=first))
    table = np.ascontiguousarray(source(case)).reshape(-1).astype(np.int64)
    places = np.arange(rows.shape[1])
    again = [
        served.inputs.pack({"kind": _POSITION, "address": places, "value": row}, row.size)
        for row in rows[1:]
    ]
    return [_run(served, table, written), *(_run(served, table[:0], each) for each in again)]


def _registers(served: Unit, sample: Reading) -> Words:
    """Return the beats that write the table and the registers.

    Dimensions lie innermost last: those that the call has none of are the first ones. Registers
    may come in any order, and calls differ in it: what depends on it is found.
    """
    bits = served.parameters["ADDRESS_W"]
    missing = DIMENSIONS - len(sample.sizes)
    lasts = [0] * missing + [size - 1 for size in sample.sizes]
    strides = [0] * missing + list(sample.strides)
    gathered = DIMENSIONS if sample.gathered is None else missing + sample.gathered
    values = np.array([*lasts, *strides, sample.base, gathered], np.int64)
    written = np.concatenate([np.array(sample.positions, np.int64), values])
    count = len(sample.positions)
    kinds = np.where(np.arange(len(written)) < count, _POSITION, _REGISTER)
    places = np.concatenate([np.arange(count), np.arange(len(values))])
    order = np.roll(np.arange(len(written)), math.prod(sample.sizes))
    fields = {"kind": kinds, "address": places, "value": written & ((1 << bits) - 1)}
    return served.inputs.pack({name: held[order] for name, held in fields.items()}, len(written))


def _run(served: Unit, codes: Array, others: Words) -> Words:
    """Return the beats that write the codes of one sample, others, and START."""
    bits, count = served.parameters["CODE_W"], codes.size
    values: dict[str, Array | int] = {
        "kind": _CODE,
        "address": np.arange(count),
        "value": codes & ((1 << bits) - 1),
    }
    start = served.inputs.pack({"kind": _START, "address": 0, "value": 0}, 1)
    return np.concatenate([served.inputs.pack(values, count), others, start])
