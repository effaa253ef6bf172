"""Finds the operators that sit between dequantize and quantize."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qsim import families, nodes
from qsim.errors import TargetError
from qsim.lowering.builder import Builder, Codes, Match
from qsim.lowering.rule_add import lower_add
from qsim.lowering.rule_correlation import lower_conv, lower_linear
from qsim.lowering.rule_matmul import lower_matmul
from qsim.lowering.rule_move import (
    lower_avg_pool,
    lower_clamp,
    lower_max_pool,
    lower_permute,
    lower_rescale,
    lower_reshape,
)
from qsim.lowering.view import NotLowerableError, is_dequantize, is_quantize, tensor_params

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch.fx import GraphModule, Node

    from hw_models import FixedFormat
    from qsim.lowering.view import Shapes
    from qsim.target import Target

RULES: Mapping[str, Callable[[Builder], None]] = {
    "conv": lower_conv,
    "linear": lower_linear,
    "addmm": lower_linear,
    "matmul": lower_matmul,
    "add": lower_add,
    "relu": lower_clamp,
    "max_pool": lower_max_pool,
    "avg_pool": lower_avg_pool,
    "reshape": lower_reshape,
    "permute": lower_permute,
    "rescale": lower_rescale,
}


@dataclass(slots=True)
class Matcher:
    """Walks a Q/DQ graph in order and lowers what it can.

    Attributes:
        skipped: operators that the quantizer left in float, although codes flow in and out.
        why: why it did, by name.
        names: the name of every quantize node's result.
        codes: the integer tensor behind every quantize node.
        built: the calls of every quantize node whose operator was lowered.
        aliases: quantize nodes that only rename another integer tensor (identity operators).
        reasons: why an operator that has a family stays on the host.
    """

    target: Target
    graph: GraphModule
    shapes: Shapes
    skipped: frozenset[str] = frozenset()
    why: Mapping[str, str] = field(default_factory=dict)
    names: dict[Node, str] = field(default_factory=dict)
    codes: dict[Node, Codes] = field(default_factory=dict)
    built: dict[Node, Builder] = field(default_factory=dict)
    aliases: dict[Node, Node] = field(default_factory=dict)
    reasons: dict[Node, str] = field(default_factory=dict)

    def run(self) -> None:
        """Visit every quantize node."""
        taken: set[str] = set()
        for node in self.graph.graph.nodes:
            if not is_quantize(node):
                continue
            name = str(node.args[0])
            while name in taken:
                name = f"{name}.{node.name}"
            taken.add(name)
            self.names[node] = name
            try:
                self.codes[node] = Codes(name, tensor_params(node), self.shapes.of(node))
            except NotLowerableError as reason:
                self.reasons[node] = str(reason)
                self._refuse(chain(node), str(reason))
                continue
            self._visit(node)

    def _refuse(self, found: tuple[Node, tuple[Node, ...]], reason: str) -> None:
        """Note why an operator, and the activations fused into it, stay on the host."""
        anchor, clamps = found
        for node in (anchor, *clamps):
            self.reasons.setdefault(node, self.why.get(node.name, reason))

    def _visit(self, quantize: Node) -> None:
        anchor, clamps = chain(quantize)
        if anchor.op == "placeholder":
            return
        family = "rescale" if is_dequantize(anchor) else families.table().get(anchor.target)
        if family is None:
            return
        if anchor.name in self.skipped:
            self._refuse((anchor, clamps), self.why_float(anchor))
            return
        try:
            operands = self._operands(anchor, family)
            renamed = family == "identity" and operands[0].params == tensor_params(quantize)
            if renamed:
                self.aliases[quantize] = _quantize_of(anchor.args[0])
                self.codes[quantize] = operands[0]
                return
            rule = RULES["rescale" if family == "identity" else family]
            result = self.codes[quantize]
            match = Match(anchor, clamps, quantize, operands, result, layer_of(anchor))
            builder = Builder(self.target, self.graph, self.shapes, match)
            self._check_formats(match)
            rule(builder)
            self._check_available(builder)
        except (NotLowerableError, TargetError) as reason:
            self._refuse((anchor, clamps), str(reason))
            return
        self.built[quantize] = builder

    def why_float(self, anchor: Node) -> str:
        """Return why an operator stays in float, as the quantizer noted it."""
        return self.why.get(anchor.name, "it does not stand between dequantize and quantize")

    def _operands(self, anchor: Node, family: str) -> tuple[Codes, ...]:
        if family == "rescale":
            return (self._activation(anchor),)
        if family in ("add", "matmul"):
            second = nodes.operand(anchor, 1)
            first = self._activation(nodes.operand(anchor, 0))
            return (first, self._activation(second))
        return (self._activation(nodes.operand(anchor, 0)),)

    def _activation(self, node: object) -> Codes:
        source = _quantize_of(node)
        if source not in self.codes:
            raise NotLowerableError(
                self.reasons.get(source, "an operand is not quantized at run time")
            )
        return self.codes[source]

    def _check_formats(self, match: Match) -> None:
        for codes in match.operands:
            _require_within(codes.params.format, self.target.input.format, codes.name, "input")
        result = match.result
        _require_within(result.params.format, self.target.output.format, result.name, "output")

    def _check_available(self, builder: Builder) -> None:
        # A linear layer is a correlation whose kernel covers its input.
        alias = {"linear": "correlation"}
        needed = [alias.get(call.primitive, call.primitive) for call in builder.calls]
        for primitive in needed:
            if not self.target.has(primitive):
                raise NotLowerableError(f"target {self.target.name} has no {primitive}")


def _require_within(inner: FixedFormat, outer: FixedFormat, name: str, section: str) -> None:
    if inner.min < outer.min or inner.max > outer.max:
        raise NotLowerableError(
            f"tensor {name} has codes {inner.min}..{inner.max}; the target's [{section}] holds "
            f"{outer.min}..{outer.max}"
        )


def _quantize_of(node: object) -> Node:
    from torch.fx import Node

    if isinstance(node, Node) and is_dequantize(node):
        source = node.args[0]
        if isinstance(source, Node) and is_quantize(source):
            return source
    raise NotLowerableError("an operand is not quantized")


def chain(quantize: Node) -> tuple[Node, tuple[Node, ...]]:
    """Return the operator whose result is quantized, and the activations fused after it.

    An activation is fused when it is the only user of the operator's result, and the operator is
    one that requantizes or moves codes; else the activation is the operator.
    """
    from torch.fx import Node

    source = quantize.args[0]
    clamps: list[Node] = []
    while isinstance(source, Node) and nodes.clamp_range(source) is not None:
        before = source.args[0]
        fusable = (
            isinstance(before, Node)
            and len(before.users) == 1
            and families.table().get(before.target) not in (None, "identity")
        )
        if not fusable:
            break
        clamps.insert(0, source)
        source = before
    if not isinstance(source, Node):
        raise NotLowerableError("a number is quantized, not a tensor")
    return source, tuple(clamps)


def layer_of(node: Node) -> str:
    """Return the path of the module that an operator came from, empty at the top level."""
    paths = nodes.module_paths(node)
    return paths[-1] if paths else ""
