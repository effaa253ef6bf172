"""What a pattern is: one family of operators, for the quantizer and for the lowering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.fx import Node

    from qsim.lowering import Builder
    from qsim.registry.reason import Reason
    from qsim.target import Target

    Fixed: TypeAlias = Callable[[int, int, str], tuple[float, int]]


@dataclass(frozen=True, slots=True)
class Weights:
    """The constants of a product.

    Attributes:
        weight: the node of the weight.
        axis: the axis of the weight that counts output channels (per-channel parameters); None
            where no axis does, so that one scale serves all.
        bias: the node of the bias, or None.
    """

    weight: Node
    axis: int | None
    bias: Node | None = None


def first_operand(node: Node) -> tuple[Any, ...]:
    """Return the first argument: what most operators read."""
    return (node.args[0],)


def needs(*names: str) -> Callable[[Node, Target], tuple[str, ...]]:
    """Return the ``primitives`` of a pattern that always needs the same ones."""
    return lambda _node, _target: names


def always(node: Node) -> bool:
    """Accept every node with one of the pattern's overloads."""
    del node
    return True


def no_reason(node: Node) -> str:
    """Return the reason of a pattern that gives none of its own."""
    del node
    return "no primitive computes it with these arguments"


def no_weights(node: Node) -> Weights | None:
    """Return None: the operator has no constants."""
    del node
    return None


def no_matrices(node: Node) -> tuple[tuple[Node, int], ...]:
    """Return none: see ``Pattern.matrices``."""
    del node
    return ()


def no_integers(node: Node) -> tuple[Any, ...]:
    """Return none: see ``Pattern.integers``."""
    del node
    return ()


def no_tensors(node: Node, result: Node) -> tuple[Node, ...]:
    """Return none: see ``Pattern.shared`` and ``Pattern.states``."""
    del node, result
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One family of operators.

    ``check``, ``why`` and ``primitives`` read a node of the *float* graph, whose metadata has the
    shapes; ``operands`` and ``weights`` read it in the float graph and in the Q/DQ graph.

    Attributes:
        name: unique; also the name of the family in a quantization config.
        overloads: operators that it claims: ``conv2d.default`` of aten, or ``library::op.default``.
        primitives: what a target must have before the operator leaves the host; it may depend on
            the target's formats.
        lower: writes the calls into the builder, or raises ``NotLowerableError`` with the reason.
        check: whether the primitives compute what the operator computes, arguments included.
        why: why ``check`` refuses: words for the report, or a ``Reason`` where that is not its
            arguments.
        operands: the activations that the operator reads, in the order of the primitive's operands.
        weights: the weight and bias that get codes of their own.
        constant_operands: true where a constant may stand for an activation.
        sharing: result codes are operand codes (chosen, moved, averaged): one set of parameters.
        moving: it computes nothing: alone between host operators it is not worth a quantize.
        fuses_relu: a relu that alone reads the result is fused: both requantize once.
        takes_clamps: ``lower`` honours ``match.clamps``, activations without codes before them.
        fixed: scale and zero point of the result, from its smallest and largest code and the
            scheme (``asymmetric``, ...), where they do not depend on data.
        positions: the result is not codes but positions (int64, no scale): nothing quantizes it.
        integers: of the arguments, those that are integers without a scale, such as indices: the
            lowering finds them in the match's ``integers``.
        instead: it stands in another pattern's place where the target has its primitives; where
            it has not, that one's are what is lacking.
        parts: the operator has several results, each read through a getitem of its own.
        matrices: further constants that get codes, each with the number of equal blocks of rows
            that have a scale of their own.
        shared: of the operands, those that have the parameters of a result.
        states: of the operands and a result, those that are 16-bit states (``StateObserver``).
            What formats operands and results have is then for ``lower`` to check.
        dynamic: writes the calls of an operator whose operand is quantized at run time, into a
            builder whose match has ``dynamic`` and a float32 result; None where there is no such
            form.
    """

    name: str
    overloads: tuple[str, ...]
    primitives: Callable[[Node, Target], tuple[str, ...]]
    lower: Callable[[Builder], None]
    check: Callable[[Node], bool] = always
    why: Callable[[Node], str | Reason] = no_reason
    operands: Callable[[Node], tuple[Any, ...]] = first_operand
    weights: Callable[[Node], Weights | None] = no_weights
    constant_operands: bool = False
    sharing: bool = False
    moving: bool = False
    fuses_relu: bool = False
    takes_clamps: bool = False
    fixed: Fixed | None = None
    positions: bool = False
    integers: Callable[[Node], tuple[Any, ...]] = no_integers
    instead: bool = False
    parts: bool = False
    matrices: Callable[[Node], tuple[tuple[Node, int], ...]] = no_matrices
    shared: Callable[[Node, Node], tuple[Node, ...]] = no_tensors
    states: Callable[[Node, Node], tuple[Node, ...]] | None = None
    dynamic: Callable[[Builder], None] | None = None
