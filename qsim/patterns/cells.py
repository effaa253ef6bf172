"""What the cells of recurrent networks share: operands, constants, and how a gate is lowered.

One step of a cell is many calls: each gate is two linear layers of its own, requantized to 16 bits
of scale 2**-12, a saturating sum, and a table; ``hw_models.recurrent`` is the definition. Whatever
the target's ``[add]`` says, these sums are plain: both operands and the result have one scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.graph import attribute, nodes
from qsim.lowering import (
    NotLowerableError,
    constant,
    same_params,
    weight_zero_points,
)
from qsim.program import TensorSpec, accumulator_to_json, encode_scheme, format_to_json
from qsim.target import derive

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch.fx import Node

    from hw_models import FixedFormat, Requantizer
    from qsim.lowering import Builder, Constant
    from qsim.lowering.builder import Codes
    from qsim.target import Target

_FACTORIES: Final = frozenset({"zeros", "new_zeros", "zeros_like"})
_MOVES: Final = frozenset(
    {"select", "squeeze", "unsqueeze", "expand", "reshape", "view", "slice", "permute", "transpose"}
    | {"contiguous", "clone", "to", "_to_copy", "detach", "alias", "unbind", "repeat"}
)
GATE: Final = 2.0**-12
CURVE: Final = 2.0**-15
_INTERVALS: Final = 512


def primitives(node: Node, target: Target) -> tuple[str, ...]:
    """Return what a step of a cell takes."""
    del node
    table = "lookup" if target.has("lookup") or not target.has("interpolate") else "interpolate"
    return ("correlation", "bias_add", "requantize", "add", "mul", table)


def is_zero(node: object) -> bool:
    """Return whether a tensor is zeros, as the state at the start of a sequence is."""
    while getattr(node, "op", "") == "call_function" and nodes.operator_name(node) in _MOVES:  # type: ignore[arg-type]
        node = node.args[0]  # type: ignore[attr-defined]
    if nodes.is_parameter(node):
        return not bool(attribute(node.graph.owning_module, node).any())  # type: ignore[attr-defined]
    name = nodes.operator_name(node) if getattr(node, "op", "") == "call_function" else ""  # type: ignore[arg-type]
    return name in _FACTORIES


def states(node: Node) -> tuple[Any, ...]:
    """Return the states that a cell reads: hidden, and the cell's own where it has one."""
    given = node.args[1]
    return tuple(given) if isinstance(given, (tuple, list)) else (given,)


def constants(node: Node) -> tuple[Any, Any, Any, Any]:
    """Return the nodes of W, U and their biases, None where there are none."""
    found = (*node.args[2:6], None, None)
    return found[0], found[1], found[2], found[3]


def operands(node: Node) -> tuple[Any, ...]:
    """Return the input, and the states that are not zeros."""
    return (node.args[0], *(state for state in states(node) if not is_zero(state)))


def check(node: Node) -> bool:
    """Return whether the weights are constants and the input has a row per sample."""
    w, u, b, c = constants(node)
    plain = all(nodes.is_parameter(item) for item in (w, u))
    biases = all(item is None or nodes.is_parameter(item) for item in (b, c))
    return plain and biases and nodes.is_float(node.args[0]) and nodes.has_rank(node.args[0], 2)


def why(node: Node) -> str:
    """Return why ``check`` refuses."""
    if not nodes.has_rank(node.args[0], 2):
        return "its input has no batch"
    if not nodes.is_float(node.args[0]):
        return f"it reads {nodes.kind(node.args[0])}; the primitives take activations in float32"
    return "its weights are computed at run time"


@lru_cache(maxsize=32)
def _entries(unit: Any) -> npt.NDArray[np.int16]:
    from hw_models import FixedFormat
    from hw_models.tables import unit_table

    wide = FixedFormat(16)
    return unit_table(unit, wide, wide).astype(np.int16)


@lru_cache(maxsize=32)
def _chords(name: str, scale: float) -> npt.NDArray[np.integer[Any]]:
    from hw_models import FixedFormat
    from hw_models.interpolation import interpolation_table

    wide = FixedFormat(16)
    return interpolation_table(name, scale, CURVE, 0, steps=_INTERVALS, input=wide, output=wide)


@dataclass(slots=True)
class Cell:
    """Writes the calls of one step.

    Attributes:
        builder: takes them.
        x: the input.
        states: hidden state and cell state; None where it is zeros.
        blocks: how many gates the weights hold.
    """

    builder: Builder
    x: Codes
    states: tuple[Codes | None, ...]
    blocks: int

    @classmethod
    def of(cls, builder: Builder, blocks: int) -> Cell:
        """Read the operands of a match."""
        found = iter(builder.match.operands)
        x = next(found)
        held = (None if is_zero(state) else next(found) for state in states(builder.match.anchor))
        return cls(builder, x, tuple(held), blocks)

    @property
    def kernel(self) -> str:
        """Whose order of roundings the target has."""
        section = self.builder.target.recurrent
        return "tflite-micro" if section is None else section.kernel

    @property
    def wide(self) -> FixedFormat:
        """The format of gates and cells."""
        from hw_models import FixedFormat

        return FixedFormat(16)

    # -- gates -------------------------------------------------------------------------------

    def gate(self, name: str, block: int, *, scale: float = GATE, bits: int = 16) -> str:
        """Emit a gate before its curve, both biases in the first product."""
        from hw_models import FixedFormat

        form = FixedFormat(bits)
        first = self.half(f"{name}.input", self.x, 0, block, (2, 3), scale, form)
        hidden = self.states[0]
        if hidden is None:
            return first
        # With a bit more a term saturates nowhere but where the sum does.
        more = form if self.kernel == "tflite-micro" else FixedFormat(bits + 1)
        second = self.half(f"{name}.hidden", hidden, 1, block, (), scale, more)
        spec = self._spec(f"{name}.sum", self.builder.match.result.shape, form, scale)
        return self.add(f"{name}.sum", first, second, scale, spec)

    def bias(self, block: int, which: tuple[int, ...]) -> npt.NDArray[np.float64] | None:
        """Return the sum of biases of a gate, real; None where there are none."""
        held = [attribute(self.builder.graph, n).double().numpy() for n in self._biases(which)]
        return np.split(np.sum(held, axis=0), self.blocks)[block] if held else None

    def _biases(self, which: tuple[int, ...]) -> list[Node]:
        found = (constants(self.builder.match.anchor)[index] for index in which)
        return [node for node in found if node is not None]

    def half(
        self,
        name: str,
        operand: Codes,
        matrix: int,
        block: int,
        biases: tuple[int, ...],
        scale: float,
        form: FixedFormat | None = None,
    ) -> str:
        """Emit one product of a gate, requantized; ``biases`` count among ``constants``."""
        builder, target = self.builder, self.builder.target
        node = constants(builder.match.anchor)[matrix]
        weight = self._matrix(node, block)
        held = f"{node.args[0]}.gate{block}"
        builder.constants[held] = weight.codes
        shape = (*operand.shape[:-1], weight.codes.shape[0])
        accumulator = target.correlation.accumulator
        acc = builder.call(
            "linear",
            (operand.name, held),
            self._spec(f"{name}.products", shape, accumulator.format),
            {
                "x_zero_point": operand.params.zero_point,
                "weight_zero_point": weight_zero_points(builder, weight),
                "accumulator": accumulator_to_json(accumulator),
            },
        )
        s_w = float(np.asarray(weight.scale).flat[0])
        bias = self.bias(block, biases)
        if bias is not None:
            names = ".".join(str(node.target) for node in self._biases(biases))
            codes = f"{held}.{names}.{operand.params.scale!r}"
            builder.constants[codes] = self._bias_codes(bias, operand.params.scale * s_w)
            total = target.sum.accumulator
            acc = builder.call(
                "bias_add",
                (acc, codes),
                self._spec(f"{name}.sums", shape, total.format),
                {"axis": len(shape) - 1, "accumulator": accumulator_to_json(total)},
            )
        scheme = self._to_gate(operand.params.scale, s_w, scale)
        return self.rescale(name, acc, scheme, shape, form or self.wide, scale)

    def _matrix(self, node: Node, block: int) -> Constant:
        from qsim.lowering import Constant
        from qsim.lowering.schemes import check_weight

        whole = constant(self.builder.graph, node)
        codes = np.split(whole.codes, self.blocks)[block]
        rows = slice(block * len(codes), (block + 1) * len(codes))
        scales, points = np.asarray(whole.scale), np.asarray(whole.zero_point)
        if scales.ndim:
            scales, points = np.unique(scales[rows]), np.unique(points[rows])
        if scales.size != 1 or points.size != 1:
            raise NotLowerableError("a gate's weight has scales per channel; it takes one")
        found = Constant(
            np.ascontiguousarray(codes), float(scales.flat[0]), int(points.flat[0]), None,
            whole.format,
        )  # fmt: skip
        check_weight("a gate's weight", found, self.builder.target.weight)
        return found

    def _bias_codes(
        self, real: npt.NDArray[np.float64], unit: float
    ) -> npt.NDArray[np.signedinteger[Any]]:
        """Return a bias in accumulator codes, at its own scale first where the target has one."""
        from qsim.lowering.schemes import check_bias

        section, left = self.builder.target.bias, 0
        rounded = np.rint(real / unit)
        while section.own_scale and np.abs(rounded).max(initial=0) > section.format.max:
            left += 1
            rounded = np.rint(real / (unit * 2.0**left))
        check_bias("its bias", rounded, section)
        codes = rounded.astype(np.int64) << left
        return codes.astype(np.int32) if np.abs(codes).max(initial=0) < 1 << 31 else codes

    def _to_gate(self, s_x: float, s_w: float, scale: float) -> Requantizer:
        if self.kernel == "litert":
            product = np.float32(s_x) * np.float32(s_w)
            return self._double(float(product / np.float32(scale)))
        return derive.requantizer(self.builder.target, s_x, s_w, scale)

    @staticmethod
    def _double(factor: float) -> Requantizer:
        from hw_models.schemes import FixedPoint

        return FixedPoint.from_scale(factor)

    # -- calls -------------------------------------------------------------------------------

    def _spec(
        self,
        name: str,
        shape: tuple[int, ...],
        form: FixedFormat,
        scale: float | None = None,
    ) -> TensorSpec:
        return TensorSpec(f"{self.builder.match.name}.{name}", shape, form, scale, 0)

    def spec(self, name: str, scale: float) -> TensorSpec:
        """Return the spec of 16-bit codes, one per unit: of a gate, a curve or a state."""
        return self._spec(name, self.builder.match.result.shape, self.wide, scale)

    def _scheme(self, name: str, scheme: Any) -> Any:
        prefix = f"{self.builder.match.name}.{name}"
        return encode_scheme(scheme, prefix, self.builder.constants)

    def rescale(
        self,
        name: str,
        codes: str,
        scheme: Requantizer,
        shape: tuple[int, ...],
        form: FixedFormat,
        scale: float,
    ) -> str:
        """Emit a requantize without zero points."""
        attributes = {
            "scheme": self._scheme(name, scheme),
            "zero_point": 0,
            "input_zero_point": 0,
            "output": format_to_json(form),
            "clamp": None,
            "axis": len(shape) - 1,
        }
        return self.builder.call("requantize", (codes,), self._spec(name, shape, form, scale), attributes)

    def show(self, codes: str, scale: float, *, relu: bool = False) -> None:
        """Emit the requantize from 16-bit codes to the result."""
        made = self.builder.match.result.params
        scheme = derive.requantizer(self.builder.target, scale, 1.0, made.scale)
        attributes = {
            "scheme": self._scheme("show", scheme),
            "zero_point": made.zero_point,
            "input_zero_point": 0,
            "output": format_to_json(made.format),
            "clamp": [made.zero_point, made.format.max] if relu else None,
            "axis": 1,
        }
        self.builder.call("requantize", (codes,), self.builder.result(), attributes)

    def curve(
        self, name: str, codes: str, function: str, scale: float = GATE, *, flip: bool = False
    ) -> str:
        """Emit a sigmoid or tanh of 16-bit codes; ``flip`` makes it 32767 less the result."""
        builder = self.builder
        spec = self.spec(name, CURVE)
        held = f"recurrent.{function}{'_flipped' if flip else ''}.{scale!r}"
        if builder.target.has("lookup"):
            entries = _entries(self.unit(function, scale))
            builder.constants[held] = np.int16(32767) - entries if flip else entries
            attributes = {"table": {"constant": held}, "output": format_to_json(self.wide)}
            return builder.call("lookup", (codes,), spec, attributes)
        chords = _chords(function, scale)
        builder.constants[held] = chords.dtype.type(32767) - chords if flip else chords
        attributes = {
            "table": {"constant": held},
            "intervals": _INTERVALS,
            "entries": format_to_json(self.wide),
            "result": "rounded",
        }
        return builder.call("interpolate", (codes,), spec, attributes)

    def unit(self, function: str, scale: float) -> Any:
        """Return the integer unit of a curve whose input has a power of two as its scale."""
        from hw_models import tables

        if self.kernel == "litert":
            unit = tables.FixedSigmoid if function == "sigmoid" else tables.FixedTanh
            return unit(int(np.log2(scale)) + 15)
        if function == "sigmoid":
            return tables.Sigmoid16.from_scale(scale)
        # As CMSIS-NN and TFLite-Micro: thrice the code, shifted to twelve fraction bits.
        left = int(np.log2(scale)) + 12
        return tables.Tanh16(3 << left, 0) if left >= 0 else tables.Tanh16(3, -left)

    def product(
        self,
        name: str,
        a: str,
        b: str,
        scheme: Requantizer,
        scale: float,
        b_zero_point: int = 0,
    ) -> str:
        """Emit a product of two tensors, to 16 bits."""
        return self._mul(name, a, b, scheme, b_zero_point, 0, self.spec(name, scale))

    def product_to(self, spec: TensorSpec, name: str, a: str, b: str, scheme: Requantizer) -> str:
        """Emit a product of two tensors of 16 bits into a tensor."""
        return self._mul(name, a, b, scheme, 0, 0, spec)

    def last_product(self, a: str, b: str, scheme: Requantizer) -> None:
        """Emit the product that is the result."""
        point = self.builder.match.result.params.zero_point
        self._mul("show", a, b, scheme, 0, point, self.builder.result())

    def _mul(
        self,
        name: str,
        a: str,
        b: str,
        scheme: Requantizer,
        b_zero_point: int,
        zero_point: int,
        spec: TensorSpec,
    ) -> str:
        attributes = {
            "scheme": self._scheme(name, scheme),
            "a_zero_point": 0,
            "b_zero_point": b_zero_point,
            "zero_point": zero_point,
            "output": format_to_json(spec.format),
            "clamp": None,
            "axis": 0,
        }
        return self.builder.call("mul", (a, b), spec, attributes)

    def scale_products(self, s_a: float, s_b: float, s_y: float) -> Requantizer:
        """Return the rescale of a product of gates and states."""
        from hw_models.schemes import PowerOfTwo

        if self.kernel == "litert":
            return PowerOfTwo(int(np.log2(s_y / (s_a * s_b))), "half_away")
        return derive.requantizer(self.builder.target, s_a, s_b, s_y, "mul")

    def scale_any(self, s_a: float, s_b: float, s_y: float) -> Requantizer:
        """Return the rescale of a product whose scales need not be powers of two."""
        if self.kernel == "litert":
            product = np.float32(s_a) * np.float32(s_b)
            return self._double(float(product / np.float32(s_y)))
        return derive.requantizer(self.builder.target, s_a, s_b, s_y, "mul")

    def scale_hidden(self, s_y: float) -> Requantizer:
        """Return the rescale of a product of two curves to the hidden state."""
        if self.kernel == "litert":
            one = np.float32(CURVE)
            return self._double(float(one / np.float32(s_y) * one))
        return derive.requantizer(self.builder.target, CURVE, CURVE, s_y, "mul")

    def add(self, name: str, a: str, b: str, scale: float, spec: TensorSpec | None = None) -> str:
        """Emit a saturating sum of two tensors of one scale."""
        from hw_models import Accumulator
        from hw_models.add import AlignedAdd
        from hw_models.schemes import PowerOfTwo

        spec = spec or self.spec(name, scale)
        adder = AlignedAdd(0, 0, PowerOfTwo(0, "half_away"), Accumulator())
        attributes = {
            "scheme": self._scheme(name, adder),
            "a_zero_point": 0,
            "b_zero_point": 0,
            "zero_point": 0,
            "output": format_to_json(spec.format),
            "clamp": None,
        }
        return self.builder.call("add", (a, b), spec, attributes)

    def require_one_scale(self, state: Codes | None, made: Codes, what: str) -> None:
        """Refuse a state that has other parameters before the step than after it."""
        if state is not None and not same_params(state, made):
            raise NotLowerableError(f"its {what} has other parameters before than after")
