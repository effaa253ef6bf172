"""Operands that a graph quantizes at run time: what PT2E writes for them, read back.

Per tensor that is ``choose_qparams.tensor`` (or ``choose_qparams_symmetric.tensor``), whose scale
and zero point ``quantize_per_tensor.tensor`` and ``dequantize_per_tensor.tensor`` take; per token
``quantize_per_token`` and ``dequantize_per_token``. The graph says which codes there are; how scale
and zero point follow is the target's, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from torch.fx import Node

from qsim.lowering.schemes import SchemeError
from qsim.lowering.view import NotLowerableError, Reals, code_format, operator_name
from qsim.registry import Reason

if TYPE_CHECKING:
    from hw_models import FixedFormat
    from qsim.target import Granularity, Target

_GRANULARITIES: Final[dict[str, Granularity]] = {
    "quantized_decomposed.dequantize_per_tensor.tensor": "tensor",
    "quantized_decomposed.dequantize_per_token.default": "token",
}

_PER_TOKEN: Final = frozenset(name for name, of in _GRANULARITIES.items() if of == "token")


@dataclass(frozen=True, slots=True)
class Dynamic:
    """One operand that is quantized at run time.

    Attributes:
        source: the node whose float32 values it has.
        values: those in a Program.
        codes: their format.
        granularity: what shares a scale.
    """

    source: Node
    values: Reals
    codes: FixedFormat
    granularity: Granularity


def is_dynamic(node: object) -> bool:
    """Return whether a node dequantizes what was quantized at run time."""
    return isinstance(node, Node) and operator_name(node) in _GRANULARITIES


def dynamic_source(node: Node) -> Node:
    """Return the node whose values are quantized at run time and dequantized again.

    Raises:
        NotLowerableError: what is dequantized was not quantized there.
    """
    quantize = node.args[0]
    wanted = operator_name(node).replace("dequantize", "quantize")
    if isinstance(quantize, Node) and operator_name(quantize) == wanted:
        source = quantize.args[0]
        if isinstance(source, Node) and quantize.args[1:5] == node.args[1:5]:
            return source
    raise NotLowerableError(Reason("operand", "an operand is not quantized where it is read"))


def _is_symmetric(node: Node) -> bool | None:
    """Return whether the zero point is the middle code, as far as the graph says."""
    zero = node.args[2]
    if not isinstance(zero, Node):
        return None
    if operator_name(node) in _PER_TOKEN:
        return operator_name(zero) == "aten.full_like.default"
    chosen = zero.args[0] if zero.args else None
    return isinstance(chosen, Node) and "symmetric" in operator_name(chosen)


def read_dynamic(node: Node, values: Reals, target: Target) -> Dynamic:
    """Return the operand that a dequantize node stands for, checked against the target.

    Raises:
        SchemeError: the target has no such codes, or parameters for other parts of a tensor.
    """
    section = target.dynamic
    if section is None:
        raise SchemeError(
            f"{values.name} is quantized at run time",
            f"target {target.name} has no section [dynamic]",
        )
    codes = code_format(cast("int", node.args[3]), cast("int", node.args[4]))
    have = section.format
    if codes.min < have.min or codes.max > have.max or codes.signed != have.signed:
        raise SchemeError(
            f"{values.name} has codes {codes.min}..{codes.max} at run time",
            f"the target's [dynamic] has {have.min}..{have.max}",
        )
    symmetric = _is_symmetric(node)
    if symmetric is not None and symmetric != section.symmetric:
        raise SchemeError(
            f"{values.name} has {'no' if symmetric else 'a'} zero point of its own at run time",
            f"the target's [dynamic] has symmetric = {str(section.symmetric).lower()}",
        )
    granularity = _GRANULARITIES[operator_name(node)]
    if granularity != section.granularity:
        raise SchemeError(
            f"{values.name} has a scale per {granularity}",
            f"the target's [dynamic] has one per {section.granularity}",
        )
    return Dynamic(dynamic_source(node), values, codes, granularity)
