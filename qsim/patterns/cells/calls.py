"""The calls of a step on 16-bit codes, which have zero point 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.patterns.cells.units import CURVE, GATE, INTERVALS, Rules, chords, entries
from qsim.program import TensorSpec, encode_scheme, format_to_json
from qsim.target import derive

if TYPE_CHECKING:
    from hw_models import FixedFormat, Requantizer
    from qsim.lowering import Builder


@dataclass(slots=True)
class Calls:
    """Writes calls.

    Attributes:
        builder: takes them.
    """

    builder: Builder

    @property
    def rules(self) -> Rules:
        """The order of roundings."""
        return Rules(self.builder.target)

    @property
    def wide(self) -> FixedFormat:
        """The format of gates and cells."""
        from hw_models import FixedFormat

        return FixedFormat(16)

    def any_spec(
        self,
        name: str,
        shape: tuple[int, ...],
        form: FixedFormat,
        scale: float | None = None,
    ) -> TensorSpec:
        """Return the spec of any tensor between the calls, named after what it is."""
        return TensorSpec(f"{self.builder.match.name}.{name}", shape, form, scale, 0)

    def spec(self, name: str, scale: float) -> TensorSpec:
        """Return the spec of 16-bit codes, one per unit: of a gate, a curve or a state."""
        return self.any_spec(name, self.builder.match.result.shape, self.wide, scale)

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
        return self.builder.call(
            "requantize", (codes,), self.any_spec(name, shape, form, scale), attributes
        )

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
            table = entries(self.rules.unit(function, scale))
            builder.constants[held] = np.int16(32767) - table if flip else table
            attributes = {"table": {"constant": held}, "output": format_to_json(self.wide)}
            return builder.call("lookup", (codes,), spec, attributes)
        ends = chords(function, scale)
        builder.constants[held] = ends.dtype.type(32767) - ends if flip else ends
        attributes = {
            "table": {"constant": held},
            "intervals": INTERVALS,
            "entries": format_to_json(self.wide),
            "result": "rounded",
        }
        return builder.call("interpolate", (codes,), spec, attributes)

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
            "output": format_to_json(spec.codes),
            "clamp": None,
            "axis": 0,
        }
        return self.builder.call("mul", (a, b), spec, attributes)

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
            "output": format_to_json(spec.codes),
            "clamp": None,
        }
        return self.builder.call("add", (a, b), spec, attributes)
