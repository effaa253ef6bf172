"""The target's Quantizer for PT2E: which tensors get codes, in which format, from which observer.

Every activation tensor has *one* set of parameters, whoever reads it. Tensors form groups: the
operand and the result of an operator that only moves, picks, averages or clamps codes (pool, mean,
reshape, permute, a relu of its own) are in one group. A relu of its own shares, because then it is
a clamp of codes and needs no requantizer; a relu that alone reads a convolution, a linear, a matmul
or an add is fused instead: the observer sits behind it and the pair requantizes once.

The first place of a group, in the order of the graph, carries the observer; all others refer to it.
Reshapes and permutes are annotated only where something that computes is in their group: alone
between host operators they would cost precision and save nothing.

An operator is left in float, on the host, where the target lacks a primitive that it needs, where
the config says ``skip``, and where its operands are not what the primitive takes (integers,
constants as activations, broadcasting adds: see ``qsim.operators.family``).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import torch
from torch.fx import Node
from torchao.quantization.pt2e.quantizer import (
    DerivedQuantizationSpec,
    QuantizationAnnotation,
    QuantizationSpec,
    Quantizer,
    SharedQuantizationSpec,
)
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from qsim import operators
from qsim.errors import ModelError, TargetError
from qsim.quantizer.observers import (
    ActivationObserver,
    PerChannelWeightObserver,
    WeightObserver,
)
from qsim.quantizer.passes import attribute
from qsim.quantizer.qparams import Floats, power_of_two_above, symmetric_scale

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.fx import GraphModule

    from qsim.quantizer.config import Override, QuantizeConfig
    from qsim.target import Target

# A place that an observer can stand at: behind a node, or between a node and one reader.
Slot: TypeAlias = Node | tuple[Node, Node]

_PRODUCTS: Final = ("conv", "linear", "addmm", "matmul")
_FUSING: Final = (*_PRODUCTS, "add")
_MOVING: Final = ("reshape", "permute", "identity")
_WIDE: Final = 1.0 - 2.0**-20


def container(quant_min: int, quant_max: int) -> torch.dtype:
    """Return the dtype that holds the codes in a PT2E graph.

    Unsigned codes of 9 to 31 bits live in int32, which more of torch's operators take than uint16.

    Raises:
        TargetError: unsigned codes of 32 bits, for which PT2E has no container.
    """
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32):
        info = torch.iinfo(dtype)
        if info.min <= quant_min and quant_max <= info.max and (quant_min < 0 or info.min == 0):
            return dtype
    if quant_min == 0 and quant_max <= torch.iinfo(torch.int32).max:
        return torch.int32
    raise TargetError(
        f"codes {quant_min}..{quant_max} have no container in PyTorch",
        where="input.bits",
        accepted="1 to 32 bits signed, 1 to 31 bits unsigned",
    )


@dataclass(frozen=True)
class _Operator:
    """One operator to be annotated.

    Attributes:
        node: the operator.
        family: its family.
        settings: what the config says about it.
        inputs: its activation operands.
        result: the node behind which its result's observer stands: itself, or the fused relu.
    """

    node: Node
    family: str
    settings: Override
    inputs: tuple[Node, ...]
    result: Node


class TargetQuantizer(Quantizer):  # type: ignore[misc]  # torchao carries no types
    """Annotates a graph for one target.

    Attributes:
        target: the contract.
        config: overrides, checked against the target.
        host: names of the operators that were left in float, and why.
    """

    def __init__(self, target: Target, config: QuantizeConfig) -> None:
        super().__init__()
        self.target = target
        self.config = config
        self.host: dict[str, str] = {}
        self._limits: list[tuple[Slot, Slot, Floats]] = []

    def annotate(self, model: GraphModule) -> GraphModule:
        """Write the annotations into the nodes' metadata."""
        self.config.check_modules(
            path for node in model.graph.nodes for path in operators.module_paths(node)
        )
        chosen = _drop_idle(self._choose(model))
        taken = {node for op in chosen for node in (op.node, op.result)}
        self.host = {
            node.name: self._why(node)
            for node in model.graph.nodes
            if node.op == "call_function" and node not in taken
        }
        roots = _groups(chosen)
        firsts: dict[Node, Slot] = {}
        specs: dict[Slot, Any] = {}
        for op in chosen:
            for slot, tensor in _slots(op):
                first = firsts.setdefault(roots[tensor], slot)
                specs[slot] = self._activation(op) if first is slot else _shared(first)
        for op in chosen:
            inputs = {tensor: specs[tensor, op.node] for tensor in op.inputs}
            inputs.update(self._constants(model, op))
            _annotate(op.node, inputs, specs[op.node] if op.result is op.node else None)
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
        """Tell weight observers which bias has to fit at their scale."""
        for weight, activation, scale in self._limits:
            observer = edge_or_node_to_obs_or_fq[weight]
            observer.limit(edge_or_node_to_obs_or_fq[activation], scale)

    def _choose(self, model: GraphModule) -> list[_Operator]:
        found: list[_Operator] = []
        fused: set[Node] = set()
        for node in model.graph.nodes:
            name = operators.family(node)
            if name is None or node in fused:
                continue
            settings = self.config.settings(name, operators.module_paths(node))
            inputs = _activations(node, name)
            if settings.skip or not self._runs(node) or not all(map(_is_activation, inputs)):
                continue
            result = self._fused_relu(node) if name in _FUSING else None
            if result is not None:
                fused.add(result)
            found.append(_Operator(node, name, settings, inputs, result or node))
        return found

    def _why(self, node: Node) -> str:
        """Return why an operator was not chosen."""
        name = operators.family(node)
        if name is None:
            return operators.why_none(node)
        for primitive in operators.primitives(node):
            if not self.target.has(primitive):
                return f"target {self.target.name} has no {primitive}"
        for tensor in _activations(node, name):
            if not _is_activation(tensor):
                return (
                    f"it reads {operators.kind(tensor)}; the primitives take activations in float32"
                )
        if self.config.settings(name, operators.module_paths(node)).skip:
            return "the configuration leaves it in float"
        return "nothing next to it computes in integers; it only moves data"

    def _runs(self, node: Node) -> bool:
        return all(self.target.has(primitive) for primitive in operators.primitives(node))

    def _fused_relu(self, node: Node) -> Node | None:
        """Return the relu that is the only reader of a node, if there is one."""
        readers = list(node.users)
        if len(readers) != 1 or operators.family(readers[0]) != "relu":
            return None
        settings = self.config.settings("relu", operators.module_paths(readers[0]))
        return None if settings.skip else readers[0]

    def _activation(self, op: _Operator) -> QuantizationSpec:
        settings = op.settings
        low, high = _codes(self.target.input.format, settings.activation_bits)
        scheme = settings.activation_scheme or self.target.input.scheme
        affine = scheme == "asymmetric"
        return QuantizationSpec(
            dtype=container(low, high),
            observer_or_fake_quant_ctr=ActivationObserver.with_args(
                scheme=scheme,
                method=settings.activation_observer or "min_max",
                layer=operators.layer(op.node),
            ),
            quant_min=low,
            quant_max=high,
            qscheme=torch.per_tensor_affine if affine else torch.per_tensor_symmetric,
        )

    def _weight(self, op: _Operator) -> QuantizationSpec:
        section, settings = self.target.weight, op.settings
        low, high = _codes(section.format, settings.weight_bits)
        per_channel = section.per_channel if settings.per_channel is None else settings.per_channel
        affine = section.scheme == "asymmetric"
        axis = operators.weight_axis(op.node)
        names = (
            (torch.per_channel_affine, torch.per_channel_symmetric)
            if per_channel
            else (torch.per_tensor_affine, torch.per_tensor_symmetric)
        )
        observer: type[WeightObserver] = PerChannelWeightObserver if per_channel else WeightObserver
        return QuantizationSpec(
            dtype=container(low, high),
            observer_or_fake_quant_ctr=observer.with_args(
                scheme=section.scheme,
                method=settings.weight_observer or "min_max",
                layer=operators.layer(op.node),
            ),
            quant_min=low,
            quant_max=high,
            qscheme=names[0] if affine else names[1],
            ch_axis=axis if per_channel else None,
        )

    def _constants(self, model: GraphModule, op: _Operator) -> Iterator[tuple[Node, Any]]:
        """Give the specs of weight and bias, in this order: the bias is derived from the weight."""
        if op.family not in _PRODUCTS or not operators.is_parameter(operators.operand(op.node, 1)):
            return
        weight = operators.operand(op.node, 1)
        spec = self._weight(op)
        yield weight, spec
        bias = operators.bias(op.node) if op.family != "matmul" else None
        if bias is not None:
            yield bias, self._bias(model, op, bias, per_channel=spec.ch_axis is not None)

    def _bias(
        self, model: GraphModule, op: _Operator, bias: Node, *, per_channel: bool
    ) -> DerivedQuantizationSpec:
        section = self.target.bias
        low, high = section.format.min, section.format.max
        values = attribute(model, str(bias.target)).to(torch.float64).numpy()
        if not np.isfinite(values).all():
            raise ModelError(
                "the bias holds a NaN or an infinity",
                where=operators.layer(op.node),
                accepted="finite weights",
            )
        # The scale that the bias needs; beyond 24 bits fp32 cannot clamp to the last codes.
        need = symmetric_scale(values, values, low, high) / (_WIDE if section.bits > 24 else 1.0)
        edges = [(op.inputs[0], op.node), (operators.operand(op.node, 1), op.node)]
        if section.scale == "accumulator":
            self._limits.append((edges[1], edges[0], need))
        own = section.scale == "power_of_two"

        def derive(observers: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
            return _bias_qparams(observers, need if own else None, per_channel=per_channel)

        return DerivedQuantizationSpec(
            derived_from=edges,
            derive_qparams_fn=derive,
            dtype=container(low, high),
            quant_min=low,
            quant_max=high,
            qscheme=torch.per_channel_symmetric if per_channel else torch.per_tensor_symmetric,
            ch_axis=0 if per_channel else None,
        )


def _bias_qparams(
    observers: list[Any], own: Floats | None, *, per_channel: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the bias's scale ``s_x * s_w`` in fp32, or an own one, at least ``own``.

    An own scale is ``s_x * s_w * 2**k`` with the smallest ``k >= 0`` that fits: the datapath shifts
    bias codes left by k into the accumulator.
    """
    (x_scale, _), (w_scale, _) = (observer.calculate_qparams() for observer in observers)
    scale = (x_scale * w_scale).to(torch.float32)
    if own is not None:
        accumulator = scale.to(torch.float64).numpy()
        need = own if per_channel else own.max(keepdims=True)
        factor = power_of_two_above(np.maximum(need / accumulator, 1.0))
        scale = torch.from_numpy((accumulator * factor).astype(np.float32))
    return scale, torch.zeros(scale.shape, dtype=torch.int32)


def _codes(fmt: Any, bits: int | None) -> tuple[int, int]:
    narrowed = fmt if bits is None else dataclasses.replace(fmt, bits=bits)
    return narrowed.min, narrowed.max


def _activations(node: Node, name: str) -> tuple[Node, ...]:
    if name == "add" or (name == "matmul" and not operators.is_parameter(node.args[1])):
        a, b = operators.operand(node, 0), operators.operand(node, 1)
        return (a,) if a is b else (a, b)
    return (operators.operand(node, 0),)


def _is_activation(tensor: object) -> bool:
    return (
        isinstance(tensor, Node)
        and operators.is_float(tensor)
        and not operators.is_parameter(tensor)
    )


def _shared(slot: Slot) -> SharedQuantizationSpec:
    return SharedQuantizationSpec(slot)


def _annotate(node: Node, inputs: dict[Node, Any], output: Any) -> None:
    node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(
        input_qspec_map=inputs,
        output_qspec=output,
        # Sharing is said in so many words above; PT2E's guesses are not wanted.
        allow_implicit_sharing=False,
        _annotated=True,
    )


def _slots(op: _Operator) -> Iterator[tuple[Slot, Node]]:
    """Give the places of an operator in the order in which PT2E makes their observers."""
    for tensor in op.inputs:
        yield (tensor, op.node), tensor
    yield op.result, op.result


def _groups(chosen: list[_Operator]) -> dict[Node, Node]:
    """Return the representative of every tensor's group."""
    parent: dict[Node, Node] = {}

    def root(tensor: Node) -> Node:
        parent.setdefault(tensor, tensor)
        while parent[tensor] is not tensor:
            parent[tensor] = parent[parent[tensor]]
            tensor = parent[tensor]
        return tensor

    for op in chosen:
        for tensor in (*op.inputs, op.result):
            root(tensor)
        if op.family in operators.SHARING:
            parent[root(op.result)] = root(op.inputs[0])
    return {tensor: root(tensor) for tensor in list(parent)}


def _drop_idle(chosen: list[_Operator]) -> list[_Operator]:
    """Leave out reshapes and the like in groups in which nothing computes."""
    roots = _groups(chosen)
    busy = {
        roots[tensor]
        for op in chosen
        if op.family not in _MOVING
        for tensor in (*op.inputs, op.result)
    }
    return [op for op in chosen if op.family not in _MOVING or roots[op.result] in busy]
