"""Products of two activations: matmul and requantize."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.attributes import accumulator_to_json
from qsim.lowering.requantization import clamp_codes, emit_requantize
from qsim.target import derive

if TYPE_CHECKING:
    from qsim.lowering.builder import Builder


def lower_matmul(builder: Builder) -> None:
    """Emit a (batched) product of two activations."""
    target, match = builder.target, builder.match
    a, b = match.operands
    accumulator = target.correlation.accumulator
    spec = builder.intermediate("matmul", match.result.shape, accumulator.format)
    acc = builder.call(
        "matmul",
        (a.name, b.name),
        spec,
        {
            "a_zero_point": a.params.zero_point,
            "b_zero_point": b.params.zero_point,
            "accumulator": accumulator_to_json(accumulator),
        },
    )
    scheme = derive.requantizer(target, a.params.scale, b.params.scale, match.result.params.scale)
    axis = len(match.result.shape) - 1
    emit_requantize(builder, acc, scheme, clamp=clamp_codes(builder), axis=axis)
