"""Element-wise addition of two activations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.attributes import format_to_json
from qsim.lowering.requantization import clamp_codes
from qsim.lowering.view import NotLowerableError
from qsim.schemes import encode_scheme
from qsim.target import derive

if TYPE_CHECKING:
    from qsim.lowering.builder import Builder


def lower_add(builder: Builder) -> None:
    """Emit an addition; a fused activation becomes its clamp."""
    match = builder.match
    a, b = match.operands
    if a.shape != b.shape:
        raise NotLowerableError(f"its operands have unequal shapes, {a.shape} and {b.shape}")
    y = match.result.params
    scheme = derive.adder(builder.target, a.params.scale, b.params.scale, y.scale)
    builder.call(
        "add",
        (a.name, b.name),
        builder.result(),
        {
            "scheme": encode_scheme(scheme, f"{match.anchor.name}.add", builder.constants),
            "a_zero_point": a.params.zero_point,
            "b_zero_point": b.params.zero_point,
            "zero_point": y.zero_point,
            "output": format_to_json(y.format),
            "clamp": clamp_codes(builder),
        },
    )
