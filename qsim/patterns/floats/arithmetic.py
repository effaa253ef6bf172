"""Sums, differences and products of float32 values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from hw_models import FLOAT32
from qsim.graph import nodes
from qsim.lowering import NotLowerableError
from qsim.patterns.floats.operands import number, operand, require_floats, shape_of, tensors
from qsim.patterns.pairs import broadcasts
from qsim.registry import Form, Reason

if TYPE_CHECKING:
    from qsim.lowering import Builder

_POWERS: Final = (2, 3)


def _pair(builder: Builder) -> tuple[Any, Any]:
    """Return both operands, which must broadcast with the batch in front."""
    require_floats(builder)
    node = builder.match.origin
    if len(tensors(node)) == 2 and not broadcasts(node):  # of two
        raise NotLowerableError(Reason("batch", "it moves the batch out of dimension 0"))
    a, b = builder.match.anchor.args[:2]
    return a, b


def _plain(builder: Builder) -> None:
    if nodes.argument(builder.match.anchor, 2, "alpha", 1) != 1:
        raise NotLowerableError("it scales its second operand (alpha)")


def _add(builder: Builder) -> None:
    a, b = _pair(builder)
    _plain(builder)
    names = operand(builder, a, "operand0"), operand(builder, b, "operand1")
    builder.call("float_add", names, builder.match.spec, {})


def _difference(builder: Builder, a: Any, b: Any) -> None:
    """Emit a - b as a + (-1 * b), which has the same bits."""
    _plain(builder)
    if isinstance(b, (int, float)):
        taken = number(builder, -float(b), "operand1")
    else:
        shape = shape_of(builder, b)
        minus = number(builder, -1.0, "minus")
        source = operand(builder, b, "operand1")
        spec = builder.intermediate("float_mul", shape, FLOAT32)
        taken = builder.call("float_mul", (source, minus), spec, {})
    builder.call("float_add", (operand(builder, a, "operand0"), taken), builder.match.spec, {})


def _sub(builder: Builder) -> None:
    _difference(builder, *_pair(builder))


def _rsub(builder: Builder) -> None:
    b, a = _pair(builder)
    _difference(builder, a, b)


def _mul(builder: Builder) -> None:
    a, b = _pair(builder)
    names = operand(builder, a, "operand0"), operand(builder, b, "operand1")
    builder.call("float_mul", names, builder.match.spec, {})


def _scale(builder: Builder, factor: float) -> None:
    x = operand(builder, builder.match.anchor.args[0], "operand0")
    names = x, number(builder, factor, "operand1")
    builder.call("float_mul", names, builder.match.spec, {})


def _neg(builder: Builder) -> None:
    require_floats(builder)
    _scale(builder, -1.0)


def _div(builder: Builder) -> None:
    """Emit a quotient by a power of two, whose reciprocal is exact."""
    require_floats(builder)
    divisor = builder.match.anchor.args[1]
    if nodes.argument(builder.match.anchor, 2, "rounding_mode", None) is not None:
        raise NotLowerableError("it rounds its quotient (rounding_mode)")
    if not isinstance(divisor, (int, float)) or abs(math.frexp(divisor)[0]) != 0.5:
        raise NotLowerableError("it divides by something other than a power of two")
    _scale(builder, 1.0 / divisor)


def _pow(builder: Builder) -> None:
    """Emit x * x, or (x * x) * x, as ATen computes these powers."""
    require_floats(builder)
    exponent = builder.match.anchor.args[1]
    if exponent not in _POWERS:
        raise NotLowerableError(f"its exponent is {exponent}; powers take 2 or 3")
    made = builder.match.spec
    x = operand(builder, builder.match.anchor.args[0], "operand0")
    if exponent == _POWERS[0]:
        builder.call("float_mul", (x, x), made, {})
        return
    spec = builder.intermediate("float_mul", made.shape, FLOAT32)
    builder.call("float_mul", (builder.call("float_mul", (x, x), spec, {}), x), made, {})


FORMS: Final = (
    Form("add", ("add.Tensor", "add_.Tensor", "add.Scalar"), tensors, _add),
    Form("sub", ("sub.Tensor", "sub_.Tensor", "sub.Scalar"), tensors, _sub),
    Form("sub", ("rsub.Scalar", "rsub.Tensor"), tensors, _rsub),
    Form("mul", ("mul.Tensor", "mul_.Tensor", "mul.Scalar"), tensors, _mul),
    Form("divide", ("div.Tensor", "div_.Tensor", "div.Scalar"), tensors, _div),
    Form("unary", ("neg.default",), tensors, _neg),
    Form("unary", ("pow.Tensor_Scalar",), tensors, _pow),
)
