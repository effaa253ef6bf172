"""Products, element by element: of two activations, or of one and a constant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.lowering import warn_of_factors
from qsim.patterns.pairs.common import both, broadcasts, pair_codes, require_plain_batch, why_not
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
    reach = 1
    for params in (a.params, b.params):
        reach *= max(params.format.max - params.zero_point, params.zero_point - params.format.min)
    warn_of_factors(builder, scales[0] * scales[1] / scales[2], reach, "mul")
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
