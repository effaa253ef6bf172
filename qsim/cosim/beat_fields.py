"""The fields of a primitive's beats on a target: names, widths, ranges, and what each means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qsim.cosim.dut import REDUCTIONS
from qsim.cosim.jobs import bindable, has_rtl
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.cosim.jobs import Field, Layout, Unit
    from qsim.target import Target

# What a field means, for every primitive that has it, unless the next table says otherwise.
_MEANINGS: Final[Mapping[str, str]] = {
    "code": "code of the operand",
    "origin": "code that is subtracted: of real 0, or the largest that occurs where exp is 1",
    "ln2": "ln 2 in steps of the shifted code",
    "one": "the exponential of 0",
    "drop": "right shift that leaves few bits of an exponential or of a gate",
    "offset": "subtracted before the rescale",
    "cos": "code of the cosine, one for each pair",
    "sin": "code of the sine, one for each pair",
    "acc": "the accumulator",
    "a": "code of the first operand",
    "b": "code of the second operand",
    "x": "code of the operand",
    "y": "code of the result",
    "sum": "the sum, in the accumulator",
    "weight": "code of the weight",
    "bias": "the bias, at the accumulator's scale",
    "multiplier": "multiplier of the scale; its fraction bits are the scheme's",
    "addend": "added to the product before the shift",
    "shift": "right shift; below 0 a left shift",
    "zero_point": "zero point of the result, added after the rounding",
    "input_zero_point": "subtracted from the accumulator first",
    "low": "smallest code of the result, after a fused activation",
    "high": "largest code of the result",
    "draw": "64 random bits of this element",
    "x_zero_point": "zero point of x: subtracted",
    "weight_zero_point": "zero point of weight: subtracted",
    "a_zero_point": "zero point of a: subtracted",
    "b_zero_point": "zero point of b: subtracted",
    "a_left": "left shift of a to the finer of both scales",
    "b_left": "left shift of b",
    "a_multiplier": "multiplier of a",
    "b_multiplier": "multiplier of b",
    "out_multiplier": "multiplier of the sum",
    "a_shift": "right shift of a",
    "b_shift": "right shift of b",
    "out_shift": "right shift of the sum",
    "epsilon": "added to the variance of the row, N^2 times as large, with guard bits",
    "fraction": "fraction bits of a normalized value",
    "slopes": "code of the slope",
    "slopes_zero_point": "zero point of the slope: subtracted",
    "positive_multiplier": "multiplier of codes that are not below real 0",
    "positive_addend": "added to their product before the shift",
    "positive_shift": "their right shift",
    "positive_scale": "bits of their float scale",
    "negative_multiplier": "multiplier of products of a code and a slope",
    "negative_addend": "added to their product before the shift",
    "negative_shift": "their right shift",
    "negative_scale": "bits of their float scale",
    "load": "1: write value at address; such a beat has no result",
    "address": "entry that is written",
    "value": "what is written",
    "copy": "1: x goes through as it is",
    "row_weight": "weights of the pixels above and below",
    "column_weight": "weights of the pixels left and right",
    "left_shift": "left shift of the difference to the largest code",
    "min_difference": "a difference below it counts as 0",
    "scale": "bits of the float scale",
    "scale_a": "bits of the float scale of a",
    "scale_b": "bits of the float scale of b",
    "scale_out": "bits of the float scale of the result",
    "input_scale": "bits of the float scale of x",
    "output_scale": "bits of the float scale of y",
    "beta": "bits of the float factor of the exponent",
}
_OWN: Final[Mapping[tuple[str, str], str]] = {
    ("lookup", "address"): "entry that is written, or the code that is looked up: its own bits",
    ("interpolate", "value"): "entry of the table",
    ("pad", "value"): "code of the border",
    ("resize", "x"): "pixels: above left, above right, below left, below right",
    ("resize_scaled", "x"): "pixels: above left, above right, below left, below right",
    ("resize", "shift"): "right shift of the sum",
    ("resize_scaled", "shift"): "right shift of the sum",
    ("shift_right", "x"): "the value that is shifted",
    ("argmax", "y"): "position of the first of the largest codes; of the last with select_last",
    ("argmax", "select_last"): "1: of equal codes the last counts; absent where the first does",
    ("softmax", "x"): "code of a row",
    ("masked_softmax", "x"): "code of a row",
    ("masked_softmax", "shown"): "1: the code counts; 0: the mask hides it",
    ("embedding", "index"): "row of the table that is read",
    ("cache_write", "x"): "code of the cache, then of the rows that are written",
    ("cache_write", "load"): "1: x is the cache's, in C order; 0: of a row",
    ("cache_write", "position"): "of the row; of a ring modulo its length",
    ("integer_function", "left_shift"): "left shift of the code; below 0 a right shift",
    ("integer_function", "b"): "second coefficient of the exponential's polynomial",
    ("rotary", "a"): "first code of the pair",
    ("rotary", "b"): "second code of the pair",
    ("max_pool", "x"): "a tap of each plane",
    ("avg_pool", "x"): "a tap of each plane",
    ("correlation", "x"): "codes of the columns",
    ("correlation", "weight"): "codes, row by row; a row is one output",
    ("clamp", "acc"): "code of the operand",
    ("clamp", "shift"): "0: the clamp of requantize alone",
    ("matmul", "x"): "codes of a, along its columns",
    ("matmul", "weight"): "codes of b; a row is one output",
    ("matmul", "x_zero_point"): "zero point of a: subtracted",
    ("matmul", "weight_zero_point"): "zero points of b: subtracted",
    ("linear", "weight"): "codes, row by row; a row is one output",
}


@dataclass(frozen=True)
class Fields:
    """The beats of a primitive.

    Attributes:
        primitive: its name.
        target: whose widths these are.
        unit: the fields, and the module of the repository that takes them, if one does.
        beats: how beats and results belong together.
    """

    primitive: str
    target: Target
    unit: Unit
    beats: str

    @property
    def served(self) -> bool:
        """Whether RTL of the repository computes it, be it on other beats."""
        return bool(self.unit.module) or has_rtl(self.primitive)

    def meaning(self, field: Field) -> str:
        """Return what a field means."""
        own = _OWN.get((self.primitive, field.name))
        return own or _MEANINGS.get(field.name, field.name.replace("_", " "))

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``--json``."""
        return {
            "primitive": self.primitive,
            "target": {"name": self.target.name, "hash": self.target.hash},
            "listed": self.target.has(self.primitive),
            "module": self.unit.module or None,
            "parameters": dict(self.unit.parameters),
            "beats": self.beats,
            "in": self._side(self.unit.inputs),
            "out": self._side(self.unit.outputs),
        }

    def _side(self, layout: Layout) -> list[dict[str, Any]]:
        offsets = layout.offsets()
        return [
            {
                "name": field.name,
                "offset": offsets[field.name],
                "bits": field.bits,
                "signed": field.signed,
                "lanes": field.lanes,
                "min": field.min,
                "max": field.max,
                "meaning": self.meaning(field),
            }
            for field in layout.fields
        ]


def fields(primitive: str, target: Target) -> Fields:
    """Return the fields of a primitive's beats on a target: those of its own scheme and widths.

    A call whose codes are wider than the target's has wider fields.

    Raises:
        UsageError: no such primitive, or the target has no calls of it.
        TargetError: its scheme has none.
    """
    from qsim.golden import directed, samples

    if primitive in directed.PRIMITIVES:
        cases = directed.cases(primitive, target, 0, 1)
    elif primitive in samples.PRIMITIVES:
        cases = samples.cases(primitive, target, 0, 1)
    else:
        raise UsageError(
            f"there are no beats of a primitive {primitive!r:.80}",
            accepted=", ".join((*directed.PRIMITIVES, *samples.PRIMITIVES)),
        )
    if not cases:
        raise UsageError(
            f"the target {target.name} has no {primitive}",
            where="--target",
            accepted="a target that lists it (`qsim targets NAME`)",
        )
    job = bindable(cases[0], target)
    return Fields(primitive, target, job.unit, _beats(job.unit, primitive))


def _beats(unit: Unit, primitive: str) -> str:
    if primitive in ("lookup", "interpolate"):
        return "the table first, an entry a beat; then one beat for each result"
    if unit.packet:
        return "a packet (up to last) for each packet of results"
    if primitive in REDUCTIONS:
        return "a packet (up to last) for each result"
    return "one beat for each result"
