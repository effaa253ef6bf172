"""The target's Quantizer for PT2E: which tensors get codes, in which format, from which observer.

Every activation tensor has *one* set of parameters, whoever reads it; tensors whose codes are only
moved, picked, averaged or clamped on the way share theirs (`qsim.quantizer.groups`). A relu of its
own shares, because then it is a clamp of codes and needs no requantizer; a relu that alone reads a
convolution, a linear, a matmul or an add is fused instead: the observer sits behind it and the pair
requantizes once.

Reshapes, permutes and argmaxes are annotated only where something that computes is in their group:
alone between host operators they would cost precision and save nothing. Positions have no codes: an
argmax is annotated as a reader only.

An operator is left in float, on the host, where the target lacks a primitive that it needs, where
the config says ``skip``, and where its operands are not what the primitive takes (integers,
constants as activations, broadcasting adds: see `qsim.patterns`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.fx import Node
from torchao.quantization.pt2e.quantizer import (
    QuantizationAnnotation,
    Quantizer,
    SharedQuantizationSpec,
)
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from qsim.graph import nodes
from qsim.quantizer.alignment import align, aligned
from qsim.quantizer.groups import Operator, Slot, drop_idle, groups, lone, slots
from qsim.quantizer.limits import Limit, Raised, Registers
from qsim.quantizer.specs import activation_spec, bias_spec, bias_values, weight_spec
from qsim.quantizer.stated import by_group
from qsim.registry import Reason
from qsim.registry import patterns as registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.fx import GraphModule

    from qsim.quantizer.config import QuantizeConfig
    from qsim.quantizer.qparams import Floats
    from qsim.registry import Pattern
    from qsim.target import Target


class TargetQuantizer(Quantizer):  # type: ignore[misc]  # torchao carries no types
    """Annotates a graph for one target.

    Attributes:
        target: the contract.
        config: overrides, checked against the target.
        host: names of the operators that were left in float, and why.
        raised: tensors whose scales are larger than their values need; known after ``settle``.
    """

    def __init__(self, target: Target, config: QuantizeConfig) -> None:
        super().__init__()
        self.target = target
        self.config = config
        self.host: dict[str, Reason] = {}
        self.raised: tuple[Raised, ...] = ()
        self._limits: list[tuple[Operator, Node, Floats | None]] = []
        self._aligned: list[tuple[Slot, Slot]] = []
        self._observers: dict[Slot, Any] = {}

    def annotate(self, model: GraphModule) -> GraphModule:
        """Write the annotations into the nodes' metadata."""
        self.config.check_modules(
            path for node in model.graph.nodes for path in nodes.module_paths(node)
        )
        chosen = drop_idle(self._choose(model))
        taken = {node for op in chosen for node in (op.node, op.result)}
        self.host = {
            node.name: self._why(node)
            for node in model.graph.nodes
            if node.op == "call_function" and node not in taken
        }
        roots = groups(chosen)
        alone = lone(chosen, roots)
        made_here = {roots[op.result] for op in chosen if op.result in roots}
        given = by_group(model, self.config, roots)
        firsts: dict[Node, Slot] = {}
        specs: dict[Slot, Any] = {}
        for op in chosen:
            for slot, tensor in slots(op):
                first = firsts.setdefault(roots[tensor], slot)
                if first is slot:
                    made = slot is op.result and slot in alone
                    fixed = given.get(roots[tensor])
                    out = roots[tensor] in made_here
                    section = self.target.output if out else self.target.input
                    specs[slot] = activation_spec(section, op, made=made, given=fixed)
                else:
                    specs[slot] = SharedQuantizationSpec(first)
        self._aligned = aligned(self.target, chosen)
        for op in chosen:
            inputs = {tensor: specs[tensor, op.node] for tensor in op.inputs}
            inputs.update(self._constants(model, op))
            _annotate(op.node, inputs, specs.get(op.node))
            if op.result is not op.node:
                _annotate(op.result, {}, specs[op.result])
        return model

    def validate(self, model: GraphModule) -> None:
        """PT2E asks for it; what there is to refuse was refused on the way."""

    def prepare_obs_or_fq_callback(
        self,
        model: GraphModule,  # noqa: ARG002  # PT2E passes it
        edge_or_node_to_obs_or_fq: dict[Slot, Any],
    ) -> None:
        """Tell weight observers what has to fit at their scale."""
        self._observers = edge_or_node_to_obs_or_fq
        for op, weight, bias in self._limits:
            x = self._observers[op.inputs[0], op.node]
            y = self._observers.get(op.result)
            registers = Registers.of(self.target, op.pattern.name)
            self._observers[weight, op.node].limit(Limit(x, y, bias, registers))

    def settle(self) -> None:
        """Raise scales of activations that the datapath could not align; after calibration."""
        pairs = [(self._observers[a], self._observers[b]) for a, b in self._aligned]
        align(self.target, pairs)
        # A bias has none: its scale follows from those of activation and weight.
        observers = [item for item in self._observers.values() if hasattr(item, "raised")]
        found = {id(item): item for item in observers}.values()
        self.raised = tuple(one for item in found if (one := item.raised()) is not None)

    def _choose(self, model: GraphModule) -> list[Operator]:
        found: list[Operator] = []
        fused: set[Node] = set()
        for node in model.graph.nodes:
            pattern = registry.choose(node, self.target)
            if pattern is None or node in fused:
                continue
            settings = self.config.settings(pattern.name, nodes.module_paths(node))
            inputs = _activations(node, pattern)
            if settings.skip or self._lacks(node, pattern) or _odd(inputs, pattern):
                continue
            result = self._fused_relu(node) if pattern.fuses_relu else None
            if result is not None:
                fused.add(result)
            found.append(Operator(node, pattern, settings, inputs, result or node))
        return found

    def _why(self, node: Node) -> Reason:
        """Return why an operator was not chosen."""
        pattern = registry.choose(node, self.target)
        if pattern is None:
            return registry.why_none(node)
        lacking = self._lacks(node, pattern)
        if lacking:
            return Reason.lacking(self.target.name, *lacking)
        for tensor in _odd(_activations(node, pattern), pattern):
            text = f"it reads {nodes.kind(tensor)}; the primitives take activations in float32"
            return Reason("type", text)
        if self.config.settings(pattern.name, nodes.module_paths(node)).skip:
            return Reason("config", "the configuration leaves it in float")
        if pattern.positions:
            text = "nothing before it computes in integers: codes would only lose precision"
            return Reason("idle", text)
        return Reason("idle", "nothing next to it computes in integers; it only moves data")

    def _lacks(self, node: Node, pattern: Pattern) -> tuple[str, ...]:
        """Return the primitives that an operator needs and the target has not."""
        needed = pattern.primitives(node, self.target)
        return tuple(name for name in needed if not self.target.has(name))

    def _fused_relu(self, node: Node) -> Node | None:
        """Return the relu that is the only reader of a node, if there is one."""
        readers = list(node.users)
        if len(readers) != 1 or not registry.accepts(readers[0], "relu"):
            return None
        settings = self.config.settings("relu", nodes.module_paths(readers[0]))
        return None if settings.skip else readers[0]

    def _constants(self, model: GraphModule, op: Operator) -> Iterator[tuple[Node, Any]]:
        """Give the specs of weight and bias, in this order: the bias is derived from the weight."""
        weights = op.pattern.weights(op.node)
        if weights is None or not nodes.is_parameter(weights.weight):
            return
        weight, bias = weights.weight, weights.bias
        spec = weight_spec(self.target, op, weights.axis)
        yield weight, spec
        values = None if bias is None else bias_values(model, op, bias)
        self._limits.append((op, weight, values))
        # PyTorch has no container for wider codes: such a bias is coded when it is lowered.
        if bias is not None and values is not None and self.target.bias.bits <= 32:
            per_channel = spec.ch_axis is not None
            yield bias, bias_spec(self.target, op, weight, values, per_channel=per_channel)


def _activations(node: Node, pattern: Pattern) -> tuple[Any, ...]:
    """Return what an operator reads at run time, each tensor once."""
    return tuple(dict.fromkeys(pattern.operands(node)))


def _odd(tensors: tuple[Any, ...], pattern: Pattern) -> list[Any]:
    """Return those that have no place among the activations of a pattern."""
    return [tensor for tensor in tensors if not _is_activation(tensor, pattern)]


def _is_activation(tensor: object, pattern: Pattern) -> bool:
    constant = nodes.is_parameter(tensor) and not pattern.constant_operands
    return isinstance(tensor, Node) and nodes.is_float(tensor) and not constant


def _annotate(node: Node, inputs: dict[Node, Any], output: Any) -> None:
    node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(
        input_qspec_map=inputs,
        output_qspec=output,
        # Sharing is said in so many words above; PT2E's guesses are not wanted.
        allow_implicit_sharing=False,
        _annotated=True,
    )
