"""Products of two matrices of float32 values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.lowering import NotLowerableError
from qsim.patterns.floats.operands import operand, require_floats, shape_of, tensors
from qsim.registry import Form, Reason

if TYPE_CHECKING:
    from qsim.lowering import Builder


def _lower(builder: Builder) -> None:
    require_floats(builder)
    section, node = builder.target.floats, builder.match.anchor
    shape = builder.match.made.shape
    a, b = node.args[:2]
    ranks = [len(shape_of(builder, item)) for item in (a, b)]
    if section is None or min(ranks) < 2:  # matrices
        raise NotLowerableError("it multiplies by a vector; products take 2 dimensions or more")
    if -1 in shape[-2:]:
        raise NotLowerableError(Reason("batch", "the batch is a dimension of its matrices"))
    products = shape[-2] * shape[-1] * shape_of(builder, a)[-1]
    names = operand(builder, a, "operand0"), operand(builder, b, "operand1")
    fused = products >= section.fused_from
    builder.call("float_matmul", names, builder.match.spec, {"fused": fused})


FORMS: Final = (Form("matmul", ("mm.default", "bmm.default", "matmul.default"), tensors, _lower),)
