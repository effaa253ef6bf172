"""Products, element by element: of two activations, or of one and a constant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.patterns.pairs import both, broadcasts, pair_codes, require_plain_batch, why_not
from qsim.program import encode_scheme
from qsim.registry import Pattern, needs
from qsim.target import derive

if TYPE_CHECKING:
    from qsim.lowering import Builder


def _lower(builder: Builder) -> None:
    require_plain_batch(builder)
    match = builder.match
    a, b = match.operands
    scales = (a.params.scale, b.params.scale, match.result.params.scale)
    scheme = derive.requantizer(builder.target, *scales, operator="mul")
    attributes = {
        "scheme": encode_scheme(scheme, f"{match.anchor.name}.mul", builder.constants),
        **pair_codes(builder),
        "axis": 0,  # one scale for all channels
    }
    builder.call("mul", (a.name, b.name), builder.result(), attributes)


PATTERN: Final = Pattern(
    name="mul",
    overloads=("mul.Tensor",),
    primitives=needs("mul"),
    lower=_lower,
    check=broadcasts,
    why=why_not,
    operands=both,
    constant_operands=True,
    fuses_relu=True,
    takes_clamps=True,
)
