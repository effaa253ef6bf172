"""Differences: of two activations, or of one and a constant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.patterns.pairs.add import check_term, why_no_term
from qsim.patterns.pairs.common import both, pair_codes, require_plain_batch, warn_of_alignment
from qsim.program import encode_scheme
from qsim.registry import Pattern, needs
from qsim.target import derive

if TYPE_CHECKING:
    from qsim.lowering import Builder


def _lower(builder: Builder) -> None:
    require_plain_batch(builder)
    warn_of_alignment(builder)
    match = builder.match
    a, b = match.operands
    scheme = derive.adder(builder.target, a.params.scale, b.params.scale, match.result.params.scale)
    attributes = {
        "scheme": encode_scheme(scheme, f"{match.anchor.name}.sub", builder.constants),
        **pair_codes(builder),
        # TFLite-Micro's and LiteRT's; the schemes other than theirs round alike either way.
        "negate": "term",
    }
    builder.call("sub", (a.name, b.name), builder.result(), attributes)


PATTERN: Final = Pattern(
    name="sub",
    overloads=("sub.Tensor",),
    primitives=needs("sub"),
    lower=_lower,
    check=check_term,
    why=why_no_term,
    operands=both,
    constant_operands=True,
    fuses_relu=True,
    takes_clamps=True,
)
