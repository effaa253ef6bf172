"""From the arrays of a block to calls: the beats that go in, and those that must come out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, assert_never

import numpy as np

from qsim.cosim.custom.arrays import drawn, gather
from qsim.cosim.jobs import Field, Flags, Job, Layout, Prepared, Unit
from qsim.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsim.cosim.custom.arrays import Array, Given
    from qsim.cosim.custom.spec import Spec

PRIMITIVE = "custom"


def calls(
    spec: Spec,
    inputs: Given | None = None,
    expected: Given | None = None,
    *,
    vectors: int | None = None,
    seed: int = 0,
) -> list[Prepared]:
    """Return one call for each result of a block.

    Leading dimensions of the inputs are broadcast to one shape, as NumPy does; the last dimension
    of a field of several lanes is its lanes. Without packets a result has that shape; where a
    packet is reduced, it has it without its last dimension, along which the packet lies; of a
    frame the last dimension is the packet's results.

    Args:
        spec: the block.
        inputs: arrays by name, a folder of ``NAME.npy``, or a function that returns arrays (or
            ``module:function``); the files that the block names if None.
        expected: likewise of the results; a function is called with the inputs by name.
        vectors: draw so many inputs, in the place of ``inputs``.
        seed: of what is drawn; a function for ``inputs`` is called with it.

    Raises:
        UsageError: nothing says where arrays are.
        InputError: an array is missing, or its shape or a value does not fit.
    """
    arrays = _inputs(spec, inputs, vectors, seed)
    lead = _lead(spec, arrays)
    spread = {
        field.name: np.broadcast_to(arrays[field.name], _shape(lead, field))
        for field in spec.fields
    }
    if expected is None and not spec.expected:
        raise UsageError(
            "nothing says what must come out",
            where=spec.where,
            accepted="--expected DIR or F.py:FUNCTION, or files in [custom.expected]",
        )
    wanted = gather(expected, spec.expected, spec.results, spread, "expected")
    return [Prepared(_job(spec, field, spread, wanted[field.name], lead)) for field in spec.results]


def _inputs(
    spec: Spec, inputs: Given | None, vectors: int | None, seed: int
) -> Mapping[str, Array]:
    if vectors is not None:
        if inputs is not None or spec.packets != "none":
            raise UsageError(
                "inputs are drawn only for a block without packets, and only without --inputs",
                where="--vectors",
                accepted="--inputs DIR or F.py:FUNCTION",
            )
        if vectors < 1:
            raise UsageError(f"--vectors must be at least 1, not {vectors}", accepted="1 or more")
        return drawn(spec.fields, vectors, seed)
    if inputs is None and not spec.inputs:
        raise UsageError(
            "nothing says what goes in",
            where=spec.where,
            accepted="--inputs DIR or F.py:FUNCTION, --vectors N, or files in [custom.inputs]",
        )
    return gather(inputs, spec.inputs, spec.fields, {"seed": seed}, "inputs")


def _lead(spec: Spec, arrays: Mapping[str, Array]) -> tuple[int, ...]:
    """Return the shape that the inputs have together, without lanes."""
    shapes = {
        f.name: arrays[f.name].shape[: arrays[f.name].ndim - (f.lanes > 1)] for f in spec.fields
    }
    try:
        lead = np.broadcast_shapes(*shapes.values())
    except ValueError:
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise InputError(
            f"the inputs must have one shape, not {told}",
            where=spec.where,
            accepted="equal dimensions, or 1 (lanes apart)",
        ) from None
    if not math.prod(lead) or (spec.packets != "none" and not lead):
        raise InputError(
            f"the inputs together have the shape {lead}",
            where=spec.where,
            accepted="at least one operation, and a dimension along which packets lie",
        )
    return lead


def _shape(lead: tuple[int, ...], field: Field) -> tuple[int, ...]:
    return (*lead, field.lanes) if field.lanes > 1 else lead


def _job(
    spec: Spec, field: Field, arrays: Mapping[str, Array], wanted: Array, lead: tuple[int, ...]
) -> Job:
    """Return the beats of all inputs, with one result expected."""
    beats = math.prod(lead)
    length = 1 if spec.packets == "none" else lead[-1]
    _require_shape(spec, field, wanted, lead)
    count = wanted.size // field.lanes
    packet = count * length // beats if spec.packets == "frame" else 0
    inputs, outputs = Layout(spec.fields), Layout((field,))
    # A beat ends a packet; without packets, a row of the last dimension.
    row = length if spec.packets != "none" else (lead[-1] if lead else 1)
    last = np.asarray(np.arange(1, beats + 1) % row == 0, np.bool_)
    return Job(
        name=f"{spec.name}.{field.name}" if len(spec.results) > 1 else spec.name,
        layer="",
        primitive=PRIMITIVE,
        unit=Unit(PRIMITIVE, "", (), {}, inputs, outputs, packet),
        beats=inputs.pack({f.name: _rows(arrays[f.name], f) for f in spec.fields}, beats),
        last=last,
        expected=outputs.pack({field.name: _rows(wanted, field)}, count),
        expected_last=_ends(spec, last, count, packet),
        field=field.name,
        element=np.arange(wanted.size, dtype=np.int64).reshape(count, field.lanes),
        shape=wanted.shape,
    )


def _rows(array: Array, field: Field) -> Array:
    return array.reshape(-1, field.lanes)


def _ends(spec: Spec, last: Flags, count: int, packet: int) -> Flags:
    """Return tlast of what comes out."""
    match spec.packets:
        case "none":
            return last
        case "reduce":
            return np.ones(count, np.bool_)
        case "frame":
            return np.asarray(np.arange(1, count + 1) % packet == 0, np.bool_)
        case _:
            assert_never(spec.packets)


def _require_shape(spec: Spec, field: Field, wanted: Array, lead: Sequence[int]) -> None:
    """Require the shape that a result of these inputs has."""
    own = wanted.shape[: wanted.ndim - (field.lanes > 1)]
    lanes = f", {field.lanes}" if field.lanes > 1 else ""
    outer = ", ".join(map(str, lead if spec.packets == "none" else lead[:-1]))
    results = ", results" if spec.packets == "frame" else ""
    fits = own == tuple(lead)
    if spec.packets != "none":
        fits = own[: len(lead) - 1] == tuple(lead[:-1])
        fits = fits and len(own) == len(lead) - (spec.packets == "reduce") and 0 not in own
    if not fits:
        raise InputError(
            f"{field.name} has the shape {wanted.shape} for inputs of {tuple(lead)}",
            where=spec.where,
            accepted=f"({outer}{results}{lanes})".replace("(, ", "("),
        )
