"""Collects the primitive calls of one operator; the rules write into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qsim.lowering.view import NotLowerableError, Reals
from qsim.program import Call, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    from torch.fx import GraphModule, Node

    from hw_models import Format
    from qsim.lowering.dynamic import Dynamic
    from qsim.lowering.shapes import Shapes
    from qsim.lowering.view import QParams
    from qsim.target import Target


@dataclass(frozen=True, slots=True)
class Codes:
    """An integer activation: its tensor's name, quantization parameters and shape."""

    name: str
    params: QParams
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Integers:
    """Integers without a scale that an operator reads at run time, such as indices.

    Attributes:
        source: the node of the graph that makes them: an input, a host operator, positions.
        codes: the tensor in a Program.
    """

    source: Node
    codes: Codes

    @property
    def spec(self) -> TensorSpec:
        """What a Program knows of it."""
        return TensorSpec(self.codes.name, self.codes.shape, self.codes.params.format)


@dataclass(frozen=True, slots=True)
class Match:
    """One operator between dequantize and quantize.

    Attributes:
        anchor: the operator's node.
        origin: the same operator in the float graph, whose nodes know their shapes.
        clamps: relu-family nodes fused after it, in order.
        quantize: the node whose output is the operator's integer result; the anchor itself where
            that is positions.
        operands: the activations that it takes, in order.
        made: the result; named like the node whose value is quantized. A position stands for
            itself: scale 1, zero point 0. Float32 where the operand is quantized at run time.
        layer: the module path in the model.
        members: of several operators that became one, all, the anchor last; else none.
        part: which of the operator's results, where it has several.
        others: the results that are codes already, by their number.
        read: the quantize nodes of those.
        dynamic: the operand that is quantized at run time, where there is one.
        integers: the operands without a scale.
    """

    anchor: Node
    origin: Node
    clamps: tuple[Node, ...]
    quantize: Node
    operands: tuple[Codes, ...]
    made: Codes | Reals
    layer: str
    members: tuple[Node, ...] = ()
    dynamic: Dynamic | None = None

    part: int | None = None
    others: Mapping[int, Codes] = field(default_factory=dict)
    read: tuple[Node, ...] = ()
    integers: tuple[Integers, ...] = ()

    @property
    def result(self) -> Codes:
        """The integer result.

        Raises:
            NotLowerableError: it is float32.
        """
        if isinstance(self.made, Reals):
            raise NotLowerableError("its result is float32, not codes")
        return self.made

    @property
    def readers(self) -> tuple[Node, ...]:
        """The operators that read the operands."""
        return self.members or (self.anchor,)

    @property
    def name(self) -> str:
        """What calls and constants are named after: the operator, or the part that is made."""
        from torch.fx import Node

        source = self.quantize.args[0]
        return (
            source.name if self.part is not None and isinstance(source, Node) else self.anchor.name
        )


@dataclass(slots=True)
class Builder:
    """The calls, tensors and constants that one match became."""

    target: Target
    graph: GraphModule
    shapes: Shapes
    match: Match
    calls: list[Call] = field(default_factory=list)
    tensors: list[TensorSpec] = field(default_factory=list)
    constants: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Note what the datapath loses here; the layer is put in front."""
        self.warnings.append(f"{self.match.layer or self.match.name}: {text}")

    def constant(self, role: str, array: npt.NDArray[np.generic]) -> str:
        """Store an array and return its name."""
        name = f"{self.match.name}.{role}"
        self.constants[name] = array
        return name

    def call(
        self,
        primitive: str,
        inputs: tuple[str, ...],
        spec: TensorSpec,
        attributes: Mapping[str, Any],
    ) -> str:
        """Append a call that defines ``spec`` and return the tensor's name."""
        name = f"{self.match.name}.{primitive}"
        taken = {call.name for call in self.calls}
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        if spec.name == name:
            spec = TensorSpec(unique, spec.shape, spec.format, spec.scale, spec.zero_point)
        self.tensors.append(spec)
        self.calls.append(
            Call(unique, self.match.layer, primitive, inputs, spec.name, dict(attributes))
        )
        return spec.name

    def intermediate(self, primitive: str, shape: tuple[int, ...], fmt: Format) -> TensorSpec:
        """Return the spec of an accumulator between two primitives of this operator."""
        return TensorSpec(f"{self.match.name}.{primitive}", shape, fmt, None, 0)

    def result(self) -> TensorSpec:
        """Return the spec of the operator's integer result."""
        codes = self.match.result
        params = codes.params
        return TensorSpec(codes.name, codes.shape, params.format, params.scale, params.zero_point)

    def positions(self) -> TensorSpec:
        """Return the spec of the operator's positions: they have a format, but no scale."""
        codes = self.match.result
        return TensorSpec(codes.name, codes.shape, codes.params.format)
