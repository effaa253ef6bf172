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

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.fx import Node
from torchao.quantization.pt2e.quantizer import (
    QuantizationAnnotation,
    Quantizer,
    SharedQuantizationSpec,
)
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from qsim.graph import nodes
from qsim.lowering import find_compositions
from qsim.quantizer.alignment import align, aligned
from qsim.quantizer.dynamic import IN_FLOAT, at_run_time, dynamic_inputs, has_dynamic_form
from qsim.quantizer.groups import Operator, Slot, drop_idle, groups, lone, slots
from qsim.quantizer.limits import Limit, Raised, Registers
from qsim.quantizer.passes import Mask, find_masks, stays
from qsim.quantizer.specs import (
    activation_spec,
    bias_spec,
    block_spec,
    state_spec,
    weight_spec,
)
from qsim.quantizer.stated import by_group
from qsim.quantizer.states import pairs
from qsim.quantizer.tensors import require_finite
from qsim.registry import Reason, form_of
from qsim.registry import patterns as registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.fx import GraphModule

    from qsim.lowering import Composition
    from qsim.quantizer.config import QuantizeConfig
    from qsim.quantizer.qparams import Floats
    from qsim.quantizer.states import Buffer
    from qsim.registry import Pattern
    from qsim.target import Target

SKIPPED: Final = Reason("config", "the configuration leaves it in float")


class TargetQuantizer(Quantizer):  # type: ignore[misc]  # torchao carries no types
    """Annotates a graph for one target.

    Attributes:
        target: the contract.
        config: overrides, checked against the target.
        states: the buffers that the model writes into.
        host: names of the operators that were left in float, and why.
        raised: tensors whose scales are larger than their values need; known after ``settle``.
        calibrates: whether any activation has parameters that data give; known after ``annotate``.
        named: what observes each place, by its names; known after preparing.
        hidden: the number of each mask; known after ``settle``.
    """

    def __init__(
        self, target: Target, config: QuantizeConfig, states: tuple[Buffer, ...] = ()
    ) -> None:
        super().__init__()
        self.target = target
        self.config = config
        self.states = states
        self.host: dict[str, Reason] = {}
        self.raised: tuple[Raised, ...] = ()
        self.calibrates = True
        self.named: dict[tuple[str, ...], Any] = {}
        self.hidden: list[float] = []
        self._limits: list[tuple[Operator, Node, Floats | None]] = []
        self._aligned: list[tuple[Slot, Slot]] = []
        self._masks: list[Mask] = []
        self._dynamic: list[Operator] = []
        self._observers: dict[Slot, Any] = {}
        self._composed: dict[Node, Composition] = {}
        self._first: TargetQuantizer | None = None
        self._settled = False

    @property
    def at_run_time(self) -> bool:
        """Whether any operand is quantized at run time; known after ``annotate``."""
        return bool(self._dynamic)

    def join(self, first: TargetQuantizer) -> None:
        """Observe with what observes the same graph for another length of its sequences."""
        self._first = first

    def annotate(self, model: GraphModule) -> GraphModule:
        """Write the annotations into the nodes' metadata."""
        self.config.check_modules(
            path for node in model.graph.nodes for path in nodes.module_paths(node)
        )
        kept = pairs(model, self.states)
        chosen = drop_idle(self._choose(model), kept)
        self.calibrates = bool(chosen)
        taken = {node for op in (*chosen, *self._dynamic) for node in (op.node, op.result)}
        taken |= {node for op in chosen if op.readers for node in self._composed[op.node].members}
        self.host = {
            node.name: self._why(node)
            for node in model.graph.nodes
            if node.op == "call_function" and node not in taken
        }
        roots = groups(chosen, kept)
        alone = lone(chosen, roots, kept)
        made_here = {roots[op.result] for op in chosen if op.result in roots}
        states = {roots[tensor] for op in chosen for tensor in op.states}
        given = by_group(model, self.config, roots)
        firsts: dict[Node, Slot] = {}
        specs: dict[Slot, Any] = {}
        for op, slot, tensor in slots(chosen):
            if slot in specs:
                continue  # an operand of another result of the same operator
            first = firsts.setdefault(roots[tensor], slot)
            if first is slot and roots[tensor] in states:
                specs[slot] = state_spec(op)
            elif first is slot:
                made = slot is op.result and slot in alone
                fixed = given.get(roots[tensor])
                out = roots[tensor] in made_here
                section = self.target.output if out else self.target.input
                specs[slot] = activation_spec(section, op, made=made, given=fixed)
            else:
                specs[slot] = SharedQuantizationSpec(first)
        self._aligned = aligned(self.target, chosen)
        matrices: dict[Node, Node] = {}
        self._masks = [mask for mask in find_masks(model) if mask.add in taken]
        for op in chosen:
            read: dict[Node, dict[Node, Any]] = {op.node: {}}
            for tensor, reader in op.edges:
                read.setdefault(reader, {})[tensor] = specs[tensor, reader]
            read[op.node].update(self._constants(model, op))
            for weight, blocks in op.pattern.matrices(op.node):
                first_reader = matrices.setdefault(weight, op.node)
                own = first_reader is op.node
                _finite(model, weight, "weight", op)
                read[op.node][weight] = (
                    block_spec(self.target, op, blocks)
                    if own
                    else SharedQuantizationSpec((weight, first_reader))
                )
            for reader, inputs in read.items():
                _annotate(reader, inputs, specs.get(op.node) if reader is op.node else None)
            if op.result is not op.node:
                _annotate(op.result, {}, specs[op.result])
        for op in self._dynamic:
            _annotate(op.node, dynamic_inputs(model, self.target, op), None)
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
        if self._first is not None:
            for slot in self._observers:
                self._observers[slot] = self._first.named[_slot_name(slot)]
            return
        self.named = {_slot_name(slot): each for slot, each in self._observers.items()}
        for op, weight, bias in self._limits:
            x = self._observers[op.inputs[0], op.node]
            y = self._observers.get(op.result)
            registers = Registers.of(self.target, op.pattern.name)
            self._observers[weight, op.node].limit(Limit(x, y, bias, registers))

    def settle(self) -> None:
        """Choose what hangs on several scales: masks, scales to be aligned; after calibration.

        Masks are chosen once: what is learned afterwards is learned with them.
        """
        if self._first is not None:
            for mask, number in zip(self._masks, self._first.hidden, strict=True):
                mask.hide(number)
            return
        if not self._settled:
            for mask in self._masks:
                terms = ((mask.scores, mask.add), (mask.term, mask.add), mask.add)
                self.hidden.append(mask.settle(*(self._observers[slot] for slot in terms)))
        self._settled = True
        pairs = [(self._observers[a], self._observers[b]) for a, b in self._aligned]
        align(self.target, pairs)
        # A bias has none: its scale follows from those of activation and weight.
        observers = [item for item in self._observers.values() if hasattr(item, "raised")]
        found = {id(item): item for item in observers}.values()
        self.raised = tuple(one for item in found if (one := item.raised()) is not None)

    def _choose(self, model: GraphModule) -> list[Operator]:
        found: list[Operator] = []
        self._composed = self._compositions(model)
        inner = {node for whole in self._composed.values() for node in whole.members}
        fused: set[Node] = set()
        for node in model.graph.nodes:
            if node in self._composed:
                found.append(self._folded(self._composed[node]))
            pattern = registry.choose(node, self.target)
            if pattern is None or node in fused or node in inner:
                continue
            settings = self.config.settings(pattern.name, nodes.module_paths(node))
            inputs = _activations(node, pattern)
            if settings.skip or _odd(inputs, pattern) or stays(node):
                continue
            if at_run_time(self.target, settings):
                if has_dynamic_form(node, pattern, self.target):
                    self._dynamic.append(Operator(node, pattern, settings, inputs, node))
                continue
            if self._lacks(node, pattern):
                continue
            if pattern.parts:
                found += [
                    Operator(node, pattern, settings, inputs, part) for part in nodes.parts(node)
                ]
                continue
            result = self._fused_relu(node) if pattern.fuses_relu else None
            if result is not None:
                fused.add(result)
            result = result or nodes.only_value(node) or node
            found.append(Operator(node, pattern, settings, inputs, result))
        return found

    def _compositions(self, model: GraphModule) -> dict[Node, Composition]:
        """Return the operators that one table stands for, but where the configuration says skip."""

        def kept(whole: Composition) -> bool:
            folded = (whole.pattern,) if len(whole.members) > 1 else ()
            settings = [
                self.config.settings(family, nodes.module_paths(node))
                for node in whole.members
                for family in (*folded, *(p.name for p in registry.accepting(node)))
            ]
            return not any(each.skip or at_run_time(self.target, each) for each in settings)

        found = find_compositions(model.graph.nodes, self.target)
        return {root: whole for root, whole in found.items() if kept(whole)}

    def _folded(self, whole: Composition) -> Operator:
        pattern, root = registry.builtin(whole.pattern), whole.root
        alone = registry.choose(root, self.target)
        if alone is not None and alone.fixed is not None:
            pattern = dataclasses.replace(pattern, fixed=alone.fixed)
        settings = self.config.settings(pattern.name, nodes.module_paths(root))
        return Operator(root, pattern, settings, (whole.source,), root, whole.readers)

    def _why(self, node: Node) -> Reason:
        """Return why an operator was not chosen."""
        kept = stays(node)
        if kept is not None:
            return kept
        form = form_of(node.target) if self.target.floats is not None else None
        if form is not None and self.config.settings(form.name, nodes.module_paths(node)).skip:
            return SKIPPED
        pattern = registry.choose(node, self.target)
        if pattern is None:
            return registry.why_none(node)
        settings = self.config.settings(pattern.name, nodes.module_paths(node))
        in_float = at_run_time(self.target, settings) and not settings.skip
        lacking = self._lacks(node, pattern)
        if lacking and not in_float:
            return Reason.lacking(self.target.name, *lacking)
        for tensor in _odd(_activations(node, pattern), pattern):
            if _is_empty(tensor):
                return Reason("empty", "it reads a tensor without elements")
            if nodes.is_parameter(tensor):
                text = "it reads a constant where its primitives take an activation"
                return Reason("arguments", text)
            return Reason.of_type(nodes.kind(tensor))
        if settings.skip:
            return SKIPPED
        if in_float:
            return IN_FLOAT
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
        _finite(model, weight, "weight", op)
        spec = weight_spec(self.target, op, weights.axis)
        yield weight, spec
        values = None if bias is None else _finite(model, bias, "bias", op)
        self._limits.append((op, weight, values))
        # PyTorch has no container for wider codes: such a bias is coded when it is lowered.
        if bias is not None and values is not None and self.target.bias.bits <= 32:
            per_channel = spec.ch_axis is not None
            yield bias, bias_spec(self.target, op, weight, values, per_channel=per_channel)


def _finite(model: GraphModule, constant: Node, what: str, op: Operator) -> Floats:
    """Return a weight or a bias in float64, or refuse it."""
    values = nodes.attribute(model, constant).to(torch.float64)
    require_finite(values, what, op.node)
    return values.numpy()


def _activations(node: Node, pattern: Pattern) -> tuple[Any, ...]:
    """Return what an operator reads at run time, each tensor once."""
    return tuple(dict.fromkeys(pattern.operands(node)))


def _odd(tensors: tuple[Any, ...], pattern: Pattern) -> list[Any]:
    """Return those that have no place among the activations of a pattern."""
    return [tensor for tensor in tensors if not _is_activation(tensor, pattern)]


def _is_activation(tensor: object, pattern: Pattern) -> bool:
    constant = nodes.is_parameter(tensor) and not pattern.constant_operands
    usable = isinstance(tensor, Node) and nodes.is_float(tensor) and not _is_empty(tensor)
    return usable and not constant


def _is_empty(tensor: object) -> bool:
    return any(isinstance(size, int) and size == 0 for size in nodes.shape(tensor) or ())


def _annotate(node: Node, inputs: dict[Node, Any], output: Any) -> None:
    node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(
        input_qspec_map=inputs,
        output_qspec=output,
        # Sharing is said in so many words above; PT2E's guesses are not wanted.
        allow_implicit_sharing=False,
        _annotated=True,
    )


def _slot_name(slot: Slot) -> tuple[str, ...]:
    """Return what names a place in every graph of the same nodes."""
    if isinstance(slot, Node):
        return (slot.name,)
    operand, reader = slot
    # A constant is one of many that were folded, or a parameter that needed no folding.
    if operand.op == "get_attr":
        return (f"#{reader.all_input_nodes.index(operand)}", reader.name)
    return (operand.name, reader.name)
