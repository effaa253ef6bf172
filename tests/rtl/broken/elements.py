"""Elements of a job's result: the operands of each, read from the beats, and what came out.

The operands come from the beats that are sent, not from the case: what a broken module makes of
them can be worked out without the code that made the job.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from qsim.cosim.findings import words_of
from qsim.cosim.jobs.unit import Job
from qsim.cosim.lanes.interface import LaneResult

Element: TypeAlias = dict[str, Any]  # operands, and the unit's parameters in capitals


def together(jobs: Sequence[Job]) -> Job:
    """Return one job that does several of one unit; only the sign of its elements means much."""
    assert all(made.unit == jobs[0].unit for made in jobs)
    return replace(
        jobs[0],
        beats=np.concatenate([made.beats for made in jobs]),
        last=np.concatenate([made.last for made in jobs]),
        expected=np.concatenate([made.expected for made in jobs]),
        expected_last=np.concatenate([made.expected_last for made in jobs]),
        element=np.concatenate([made.element for made in jobs]),
    )


def elements(made: Job) -> list[Element]:
    """Return the operands of every element, by beat, then lane."""
    fields = made.unit.inputs.unpack(made.beats)
    parameters = dict(made.unit.parameters)
    if made.primitive == "lookup":
        return list(_reads(fields))
    if made.unit.module == "move":
        return list(_moves(made, fields))
    if made.unit.module == "norm":
        found = _rows(made, fields)
    elif made.unit.module in ("max_pool", "avg_pool"):
        found = _windows(made, fields["x"])
    elif made.unit.module == "correlation":
        found = _sums(made, fields)
    else:
        names = list(fields)
        columns = [fields[name][:, 0].tolist() for name in names]
        found = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return [element | parameters for element in found]


def _packets(made: Job) -> Iterator[slice]:
    start = 0
    for end in np.flatnonzero(made.last).tolist():
        yield slice(start, end + 1)
        start = end + 1


def _reads(fields: dict[str, Any]) -> Iterator[Element]:
    """Give the address of each read, and all loads before it, in their order."""
    loads: tuple[tuple[int, int], ...] = ()
    pending: list[tuple[int, int]] = []
    columns = (fields[name][:, 0].tolist() for name in ("load", "address", "value"))
    for load, address, value in zip(*columns, strict=True):
        if load:
            pending.append((address, value))
            continue
        if pending:
            loads, pending = loads + tuple(pending), []
        yield {"address": address, "loads": loads}


def _moves(made: Job, fields: dict[str, Any]) -> Iterator[Element]:
    """Give the index of each result, and what the memories and registers hold then."""
    count = made.unit.parameters["DIMENSIONS"]
    held: tuple[dict[int, int], ...] = ({}, {}, {})
    columns = (fields[name][:, 0].tolist() for name in ("kind", "address", "value"))
    for kind, address, value in zip(*columns, strict=True):
        if kind < len(held):
            held[kind][address] = value
            continue
        codes, positions, registers = map(dict, held)
        values = [registers[key] for key in range(2 * count + 2)]
        known = {
            "codes": codes,
            "positions": positions,
            "strides": values[count : 2 * count],
            "base": values[2 * count],
            "gathered": values[2 * count + 1],
        } | dict(made.unit.parameters)
        for index in itertools.product(*(range(last + 1) for last in values[:count])):
            yield {"index": index, **known}


def _windows(made: Job, x: Any) -> Iterator[Element]:
    for packet, used in zip(_packets(made), made.element >= 0, strict=True):
        for lane in np.flatnonzero(used).tolist():
            yield {"taps": x[packet, lane].tolist()}


def _rows(made: Job, fields: dict[str, Any]) -> Iterator[Element]:
    """Give the codes of an element's row, less their zero point, and the fields of its own beat."""
    for packet in _packets(made):
        codes = (fields["x"] - fields["x_zero_point"])[packet, 0].tolist()
        for beat in range(packet.start, packet.stop):
            own = {name: int(held[beat, 0]) for name, held in fields.items()}
            yield {**own, "codes": codes, "c": codes[beat - packet.start]}


def _sums(made: Job, fields: dict[str, Any]) -> Iterator[Element]:
    """Give both operands of the products of each sum, in order, less their zero points."""
    rows, columns = made.unit.parameters["ROWS"], made.unit.parameters["COLUMNS"]
    dx = fields["x"] - fields["x_zero_point"]
    weight = fields["weight"].reshape(-1, rows, columns)
    dw = weight - fields["weight_zero_point"][:, :, None]
    for packet, used in zip(_packets(made), made.element >= 0, strict=True):
        for row in np.flatnonzero(used).tolist():
            yield {
                "dx": dx[packet].reshape(-1).tolist(),
                "dw": dw[packet, row].reshape(-1).tolist(),
            }


def results(made: Job, outcome: LaneResult) -> list[int]:
    """Return what came out for every element, in the order of :func:`elements`; no x among it."""
    layout = made.unit.outputs
    values = layout.unpack(made.expected)[made.field].copy()
    if outcome.differences:
        beats = [difference.beat for difference in outcome.differences]
        assert len(set(beats)) == len(beats) == outcome.differing
        words = words_of([difference.actual for difference in outcome.differences], layout.words)
        values[beats] = layout.unpack(words)[made.field]
    found: list[int] = values[made.element >= 0].tolist()
    return found
