"""The records of a lowered network, and so of a delegate, from its trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.executorch.comparing import labels
from qsim.executorch.comparing.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.network import Entry, Lowered, Step, Trace


def of_trace(network: Lowered, trace: Trace) -> list[Record]:
    """Return what every step and every call made, in order."""
    entries = iter(trace.ledger)
    made: list[Record] = []
    for step in network.steps:
        if step.kind == "program":
            number = step.attributes["program"]
            assert isinstance(number, int)  # noqa: S101 - the network was checked
            calls = network.programs[number].calls
            made += [_of_entry(next(entries), trace) for _ in calls]
        else:
            made += _of_step(step, trace)
    return made


def _of_entry(entry: Entry, trace: Trace) -> Record:
    base, _, rest = entry.tensor.partition(".")
    # What is computed inside an operator, as the gates of a cell, no other program has.
    inside = bool(rest) and "quantize_per_" not in rest
    kind = entry.primitive if entry.spec.scale is None or inside else "codes"
    name = entry.layer or entry.tensor
    array = trace.tensors[entry.tensor]
    return Record.of(
        array,
        name,
        entry.primitive,
        labels.of_node(base),
        kind,
        entry.tensor,
        entry.spec.zero_point,
    )


def _of_step(step: Step, trace: Trace) -> Iterator[Record]:
    kind = {"quantize": "codes", "dequantize": "real"}.get(step.kind, "value")
    for name in step.outputs:
        array = trace.tensors.get(f"{name}.value", trace.tensors.get(name))
        if array is not None:
            base, _, _ = name.partition(".")
            yield Record.of(
                array,
                base,
                step.kind,
                labels.of_node(base),
                kind,
                f"{kind} {base}",
                step.attributes.get("zero_point"),
            )
