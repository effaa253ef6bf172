"""Which operators are quantized at run time, and what PT2E is told of them.

Of a product with a constant matrix the weight gets codes now; what it multiplies gets scale and
zero point each time it is there. The result is float32, and so is what stands around it, unless
the configuration says ``dynamic = false`` for that: then calibration gives it codes, as on any
target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.graph import nodes
from qsim.quantizer.specs import dynamic_spec, weight_spec
from qsim.quantizer.tensors import require_finite
from qsim.registry import Reason

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

    from qsim.quantizer.config import Override
    from qsim.quantizer.groups import Operator
    from qsim.registry import Pattern
    from qsim.target import Target

IN_FLOAT: Final = Reason(
    "dynamic",
    "it computes in float32, as all does here that has no form quantized at run time",
)


def at_run_time(target: Target, settings: Override) -> bool:
    """Return whether operators of these settings are quantized at run time, or else are float32."""
    return target.dynamic is not None and settings.dynamic is not False


def has_dynamic_form(node: Node, pattern: Pattern, target: Target) -> bool:
    """Return whether an operator is a product that is quantized at run time.

    That is a product of rows of an activation with a constant matrix, and one of two activations
    where the target says so.
    """
    weights = pattern.weights(node)
    if weights is None and pattern.dynamic is not None:
        return target.floats is not None and target.floats.products == "dynamic"
    if pattern.dynamic is None or weights is None or not nodes.is_parameter(weights.weight):
        return False
    operands = pattern.operands(node)
    rows = len(operands) == 1 and len(nodes.shape(operands[0]) or ()) >= 2
    return rows and (weights.bias is None or nodes.is_parameter(weights.bias))


def dynamic_inputs(model: GraphModule, target: Target, op: Operator) -> dict[Node, Any]:
    """Return the specs of what such an operator reads: its operand, then its weight.

    Raises:
        ModelError: weight or bias holds a NaN or an infinity.
    """
    weights, section = op.pattern.weights(op.node), target.dynamic
    if section is None:
        return {}
    if weights is None:
        return {tensor: dynamic_spec(section, op) for tensor in op.inputs}
    for constant, what in ((weights.weight, "weight"), (weights.bias, "bias")):
        if constant is not None:
            require_finite(nodes.attribute(model, constant), what, op.node)
    return {
        op.inputs[0]: dynamic_spec(section, op),
        weights.weight: weight_spec(target, op, weights.axis),
    }
