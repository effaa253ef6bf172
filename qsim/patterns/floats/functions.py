"""Functions of one float32 value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.graph import nodes
from qsim.lowering import NotLowerableError
from qsim.patterns.floats.operands import operand, require_floats, tensors
from qsim.registry import Form

if TYPE_CHECKING:
    from qsim.lowering import Builder


def _emit(builder: Builder, function: str) -> None:
    require_floats(builder)
    x = operand(builder, builder.match.anchor.args[0], "operand0")
    builder.call("float_function", (x,), builder.match.spec, {"function": function})


def _relu(builder: Builder) -> None:
    _emit(builder, "relu")


def _tanh(builder: Builder) -> None:
    _emit(builder, "tanh")


def _gelu(builder: Builder) -> None:
    if nodes.argument(builder.match.anchor, 1, "approximate", "none") != "none":
        raise NotLowerableError("its tanh is inside the library: write it as products and a tanh")
    _emit(builder, "gelu")


FORMS: Final = (
    Form("relu", ("relu.default", "relu_.default"), tensors, _relu),
    Form("tanh", ("tanh.default", "tanh_.default"), tensors, _tanh),
    Form("unary", ("gelu.default",), lambda node: tensors(node)[:1], _gelu),
)
