"""Finds the operators that sit between dequantize and quantize."""

from __future__ import annotations

import dataclasses
import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from qsim.errors import TargetError
from qsim.graph import nodes
from qsim.lowering import composition
from qsim.lowering.builder import Builder, Codes, Integers, Match
from qsim.lowering.dynamic import dynamic_source, is_dynamic, read_dynamic
from qsim.lowering.requantization import lower_rescale, same_params
from qsim.lowering.schemes import SchemeError, check_activation
from qsim.lowering.view import (
    NotLowerableError,
    QParams,
    Reals,
    constant,
    is_dequantize,
    is_quantize,
    tensor_params,
)
from qsim.registry import Pattern, Reason, needs
from qsim.registry import patterns as registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from torch.fx import GraphModule, Node

    from qsim.lowering.shapes import Shapes
    from qsim.target import Target

POSITION_BITS: Final = 64  # as torch counts positions, so that the host may read them as they are

# Width and sign of integers that a Program takes as a host operator or an input gives them.
_INTEGERS: Final = {
    **{f"int{bits}": (bits, True) for bits in (8, 16, 32, 64)},
    "uint8": (8, False),
    "bool": (1, False),
}

_FLOAT: Final = Reason("operand", "it does not stand between dequantize and quantize")

# A value that is dequantized only to be quantized otherwise.
_RESCALE: Final = Pattern(
    name="rescale",
    overloads=(),
    primitives=needs("requantize"),
    lower=lower_rescale,
    operands=lambda node: (node,),
)


@dataclass(slots=True)
class Matcher:
    """Walks a Q/DQ graph in order and lowers what it can.

    Attributes:
        origins: the nodes of the float graph, by name: patterns read shapes and constants there.
        skipped: operators that the quantizer left in float, although codes flow in and out.
        why: why it did, by name.
        names: the name of every quantize node's result.
        codes: the integer tensor behind every quantize node.
        built: the calls of every quantize node whose operator was lowered. In these three, an
            operator that makes positions stands for itself: no quantize reads them. So does, in
            ``built``, one that makes float32.
        reals: the float32 results of operators that were lowered, by themselves.
        aliases: quantize nodes that only rename another integer tensor (identity operators).
        reasons: why an operator that has a family stays on the host.
        foreign: those whose parameters are none of the target's, in order.
        composed: operators of the float graph that one call may stand for, by the last of them,
            with the pattern that lowers them.
    tableless: why operators stay that one table would stand for, had the target such tables.
    """

    target: Target
    graph: GraphModule
    shapes: Shapes
    origins: Mapping[str, Node]
    skipped: frozenset[str] = frozenset()
    why: Mapping[str, Reason] = field(default_factory=dict)
    names: dict[Node, str] = field(default_factory=dict)
    codes: dict[Node, Codes] = field(default_factory=dict)
    built: dict[Node, Builder] = field(default_factory=dict)
    reals: dict[Node, Reals] = field(default_factory=dict)
    aliases: dict[Node, Node] = field(default_factory=dict)
    reasons: dict[Node, Reason] = field(default_factory=dict)
    foreign: list[tuple[Node, SchemeError]] = field(default_factory=list)
    composed: dict[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    tableless: dict[str, Reason] = field(default_factory=dict)

    def run(self) -> None:
        """Visit every quantize node, and every operator that makes positions."""
        self.composed = {
            root.name: (tuple(node.name for node in found.members), found.pattern)
            for root, found in composition.find(self.origins.values(), self.target).items()
        }
        self.tableless = composition.tableless(self.origins.values(), self.target)
        taken: set[str] = set()
        for node in self.graph.graph.nodes:
            if not is_quantize(node):
                self._visit_positions(node)
                self._visit_dynamic(node)
                if node in self.reals:
                    taken.add(node.name)
                continue
            name = str(node.args[0])
            while name in taken:
                name = f"{name}.{node.name}"
            taken.add(name)
            self.names[node] = name
            try:
                self.codes[node] = Codes(name, tensor_params(node), self.shapes.of(node))
            except NotLowerableError as error:
                self.reasons[node] = error.reason
                self._refuse(chain(node), error.reason)
                continue
            self._visit(node)

    def _refuse(self, found: tuple[Node, tuple[Node, ...]], reason: Reason) -> None:
        """Note why an operator, and the activations fused into it, stay on the host."""
        anchor, clamps = found
        for node in (anchor, *clamps):
            self.reasons.setdefault(node, self.why.get(node.name, reason))

    def _visit(self, quantize: Node) -> None:
        if self._visit_composition(quantize):
            return
        anchor, clamps = chain(quantize)
        if anchor.op == "placeholder":
            return
        if not is_dequantize(anchor) and not registry.candidates(anchor.target):
            return
        pattern = self._pattern(anchor)
        if pattern is None:
            self._refuse((anchor, clamps), self.why_float(anchor))
            return
        try:
            self._lower(quantize, pattern, anchor, clamps)
        except (NotLowerableError, TargetError) as error:
            self._refuse((anchor, clamps), _reason(error))
            self._note_foreign(anchor, error)

    def _visit_composition(self, quantize: Node) -> bool:
        """Lower several operators as one; False where there is one, or codes between them."""
        anchor: Any = quantize.args[0]
        wanted, pattern = self.composed.get(getattr(anchor, "name", ""), ((), ""))
        members = composition.members_between(anchor, wanted, self.origins) if wanted else ()
        if not members or tuple(node.name for node in members) != wanted:
            return False
        if not self.skipped.isdisjoint(wanted):
            return False
        reads = (read for node in members for read in node.all_input_nodes)
        source = next(filter(is_dequantize, reads))
        try:
            known = registry.builtin(pattern)
            match = Match(
                anchor,
                self.origins.get(anchor.name, anchor),
                (),
                quantize,
                (self._activation(source),),
                self.codes[quantize],
                layer_of(anchor),
                members,
                integers=tuple(map(self._integers, known.integers(anchor))),
            )
            self._build(match, known, {})
        except (NotLowerableError, TargetError) as reason:
            self._refuse((anchor, members), _reason(reason))
            self._note_foreign(anchor, reason)
        return True

    def _visit_positions(self, node: Node) -> None:
        from hw_models import FixedFormat

        if not any(pattern.positions for pattern in registry.candidates(node.target)):
            return
        pattern = self._pattern(node)
        if pattern is None:
            return
        try:
            stands = QParams(1.0, 0, FixedFormat(POSITION_BITS))
            self.names[node] = node.name
            self.codes[node] = Codes(node.name, stands, self.shapes.of(node))
            self._lower(node, pattern, node, ())
        except (NotLowerableError, TargetError) as error:
            self._refuse((node, ()), _reason(error))
            self._note_foreign(node, error)

    def _visit_dynamic(self, anchor: Node) -> None:
        """Lower a product whose operand is quantized at run time: its result is float32."""
        pattern = self._pattern(anchor) if registry.candidates(anchor.target) else None
        read = () if pattern is None else pattern.operands(anchor)
        if pattern is None or not any(map(is_dynamic, read)):
            return
        try:
            self._lower_dynamic(anchor, pattern, read)
        except (NotLowerableError, TargetError) as error:
            self._refuse((anchor, ()), _reason(error))
            self._note_foreign(anchor, error)

    def _lower_dynamic(self, anchor: Node, pattern: Pattern, read: tuple[Node, ...]) -> None:
        if pattern.dynamic is None or len(read) > 1:
            text = "it has no form whose operands are quantized at run time"
            raise NotLowerableError(Reason("operand", text))
        dynamic = read_dynamic(read[0], self._values(dynamic_source(read[0])), self.target)
        made = Reals(anchor.name, self.shapes.of(anchor))
        origin = self.origins.get(anchor.name, anchor)
        match = Match(anchor, origin, (), anchor, (), made, layer_of(anchor), dynamic=dynamic)
        builder = Builder(self.target, self.graph, self.shapes, match)
        pattern.dynamic(builder)
        self._check_available(builder)
        self.built[anchor], self.reals[anchor] = builder, made

    def _values(self, source: Node) -> Reals:
        """Return float32 values that a Program reads, or that another operator made."""
        if source in self.reals:
            return self.reals[source]
        quantize = _quantize_of(source) if is_dequantize(source) else None
        name = source.name if quantize is None else self.names[quantize]
        return Reals(f"{name}.real", self.shapes.of(source))

    def _note_foreign(self, anchor: Node, reason: Exception) -> None:
        if isinstance(reason, SchemeError):
            self.foreign.append((anchor, reason))

    def _pattern(self, anchor: Node) -> Pattern | None:
        """Return the pattern that lowers an operator, or None where it stays in float."""
        if is_dequantize(anchor):
            return _RESCALE
        origin = self.origins.get(anchor.name)
        if origin is None or anchor.name in self.skipped:
            return None
        return registry.choose(origin, self.target)

    def _lower(
        self, quantize: Node, pattern: Pattern, anchor: Node, clamps: tuple[Node, ...]
    ) -> None:
        held: dict[str, npt.NDArray[Any]] = {}
        operands = tuple(
            self._constant(node, held)
            if pattern.constant_operands and nodes.is_constant(node)
            else self._activation(node)
            for node in pattern.operands(anchor)
        )
        result = self.codes[quantize]
        origin = self.origins.get(anchor.name, anchor)
        handed = not clamps and not pattern.primitives(origin, self.target)
        if handed and same_params(operands[0], result):
            self.aliases[quantize] = _quantize_of(anchor.args[0])
            self.codes[quantize] = operands[0]
            return
        plain = tuple(map(self._integers, pattern.integers(anchor)))
        layer = layer_of(anchor)
        match = Match(anchor, origin, clamps, quantize, operands, result, layer, integers=plain)
        self._build(self._of_parts(match) if pattern.parts else match, pattern, held)

    def _build(self, match: Match, pattern: Pattern, held: dict[str, npt.NDArray[Any]]) -> None:
        builder = Builder(self.target, self.graph, self.shapes, match, constants=held)
        if pattern.states is None and not _only_moves(match, pattern):
            self._check_formats(match, positions=pattern.positions)
        pattern.lower(builder)
        self._check_available(builder)
        self.built[match.quantize] = builder

    def _of_parts(self, match: Match) -> Match:
        """Add which result is made, and those that are codes already."""
        part = cast("Node", match.quantize.args[0])
        known = {
            int(cast("int", other.args[1])): reader
            for other in nodes.parts(match.anchor)
            for reader in other.users
            if other is not part and reader in self.built
        }
        return dataclasses.replace(
            match,
            part=int(cast("int", part.args[1])),
            others={number: self.codes[reader] for number, reader in known.items()},
            read=tuple(known.values()),
        )

    def why_host(self, node: Node) -> Reason:
        """Return why an operator that was not lowered stays on the host, for the report."""
        found = self._why_host(node)
        if found.kind == "target":
            try:
                self.shapes.of(node)
            except NotLowerableError as error:
                return error.reason  # on a target with the primitives it would stay there too
        return found

    def _why_host(self, node: Node) -> Reason:
        known = self.reasons.get(node) or self.tableless.get(node.name)
        if known is not None:
            return known
        if not registry.candidates(node.target) and node.name not in self.why:
            return registry.why_none(node)
        return self.why_float(node)

    def why_float(self, anchor: Node) -> Reason:
        """Return why an operator stays in float, as the quantizer noted it."""
        return self.why.get(anchor.name, _FLOAT)

    def _constant(self, node: Node, held: dict[str, npt.NDArray[Any]]) -> Codes:
        """Return a constant that stands for an activation; its array goes to the builder."""
        found = constant(self.graph, node)
        if found.axis is not None:
            raise NotLowerableError(
                Reason("scheme", "a constant operand has parameters per channel")
            )
        name = f"{node.args[0]}.codes"
        held[name] = found.codes
        return Codes(name, tensor_params(node), found.codes.shape)

    def _activation(self, node: object) -> Codes:
        source = _quantize_of(node)
        if source not in self.codes:
            raise NotLowerableError(
                self.reasons.get(
                    source, Reason("operand", "an operand is not quantized at run time")
                )
            )
        return self.codes[source]

    def _integers(self, source: Node) -> Integers:
        """Return integers that a Program reads as they are, made in it or not."""
        if source in self.built:
            return Integers(source, self.codes[source])
        from hw_models import FixedFormat

        kind = nodes.kind(self.origins.get(source.name, source))
        if kind not in _INTEGERS:
            raise NotLowerableError(Reason.of_type(kind))
        bits, signed = _INTEGERS[kind]
        params = QParams(1.0, 0, FixedFormat(bits, signed=signed))
        return Integers(source, Codes(f"{source.name}.integers", params, self.shapes.of(source)))

    def _check_formats(self, match: Match, *, positions: bool) -> None:
        for codes in match.operands:
            check_activation(codes, self.target.input)
        if not positions:
            check_activation(match.result, self.target.output)

    def _check_available(self, builder: Builder) -> None:
        # A linear layer is a correlation whose kernel covers its input.
        alias = {"linear": "correlation"}
        needed = [alias.get(call.primitive, call.primitive) for call in builder.calls]
        for primitive in needed:
            if not self.target.has(primitive):
                raise NotLowerableError(Reason.lacking(self.target.name, primitive))


def _only_moves(match: Match, pattern: Pattern) -> bool:
    """Return whether codes are moved as they are: those of a cell state are wider than others."""
    (source, *more), made = match.operands, match.result
    plain = pattern.moving and not pattern.positions and not match.clamps and not more
    return plain and same_params(source, made)


def _reason(error: NotLowerableError | TargetError) -> Reason:
    if isinstance(error, NotLowerableError):
        return error.reason
    return Reason("scheme", str(error))


def _quantize_of(node: object) -> Node:
    from torch.fx import Node

    if isinstance(node, Node) and is_dequantize(node):
        source = node.args[0]
        if isinstance(source, Node) and is_quantize(source):
            return source
    raise NotLowerableError(Reason("operand", "an operand is not quantized"))


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
            and any(pattern.takes_clamps for pattern in registry.candidates(before.target))
        )
        if not fusable:
            break
        clamps.insert(0, source)
        source = before
    if not isinstance(source, Node):
        raise NotLowerableError("a number is quantized, not a tensor")
    return _whole(source), tuple(clamps)


def _whole(node: Node) -> Node:
    """Return the operator that made values and positions, where a node picks the values."""
    from torch.fx import Node

    whole = node.args[0] if node.target is operator.getitem else None
    if not isinstance(whole, Node):
        return node
    patterns = registry.candidates(whole.target)
    several = any(pattern.parts for pattern in patterns)
    return whole if several or (patterns and nodes.only_value(whole) is node) else node


def layer_of(node: Node) -> str:
    """Return the path of the module that an operator came from, empty at the top level."""
    paths = nodes.module_paths(node)
    return paths[-1] if paths else ""
