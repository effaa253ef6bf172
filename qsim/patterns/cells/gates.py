"""The gates of a cell: two products, each requantized to gate codes, and their sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.graph import attribute
from qsim.graph.recurrent import constants, is_zero, states
from qsim.lowering import (
    Constant,
    NotLowerableError,
    check_bias,
    check_weight,
    constant,
    same_params,
    weight_zero_points,
)
from qsim.patterns.cells.calls import Calls
from qsim.patterns.cells.units import GATE
from qsim.program import accumulator_to_json

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch.fx import Node

    from hw_models import FixedFormat
    from qsim.lowering import Builder
    from qsim.lowering.builder import Codes


@dataclass(slots=True)
class Cell(Calls):
    """Writes the calls of one step.

    Attributes:
        x: the input.
        states: hidden state and cell state; None where it is zeros.
        blocks: how many gates the weights hold.
    """

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

    def gate(self, name: str, block: int, *, scale: float = GATE, bits: int = 16) -> str:
        """Emit a gate before its curve, both biases in the first product."""
        from hw_models import FixedFormat

        form = FixedFormat(bits)
        first = self.half(f"{name}.input", self.x, 0, block, (2, 3), scale, form)
        hidden = self.states[0]
        if hidden is None:
            return first
        # With a bit more a term saturates nowhere but where the sum does.
        more = form if self.rules.kernel == "tflite-micro" else FixedFormat(bits + 1)
        second = self.half(f"{name}.hidden", hidden, 1, block, (), scale, more)
        spec = self.any_spec(f"{name}.sum", self.builder.match.result.shape, form, scale)
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
            self.any_spec(f"{name}.products", shape, accumulator.format),
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
                self.any_spec(f"{name}.sums", shape, total.format),
                {"axis": len(shape) - 1, "accumulator": accumulator_to_json(total)},
            )
        scheme = self.rules.to_gate(operand.params.scale, s_w, scale)
        return self.rescale(name, acc, scheme, shape, form or self.wide, scale)

    def _matrix(self, node: Node, block: int) -> Constant:
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
        section, left = self.builder.target.bias, 0
        rounded = np.rint(real / unit)
        while section.own_scale and np.abs(rounded).max(initial=0) > section.format.max:
            left += 1
            rounded = np.rint(real / (unit * 2.0**left))
        check_bias("its bias", rounded, section)
        codes = rounded.astype(np.int64) << left
        return codes.astype(np.int32) if np.abs(codes).max(initial=0) < 1 << 31 else codes

    def require_one_scale(self, state: Codes | None, made: Codes, what: str) -> None:
        """Refuse a state that has other parameters before the step than after it."""
        if state is not None and not same_params(state, made):
            raise NotLowerableError(f"its {what} has other parameters before than after")
