"""A call before its result is known, and the codes that calls are made of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.golden.case import Case
from qsim.golden.single import compute
from qsim.program import PRIMITIVES
from qsim.registry import Operand
from qsim.target import has_zero_point

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hw_models import FixedFormat, Format
    from qsim.program import Array, Json
    from qsim.target import Target


@dataclass(frozen=True)
class Call:
    """What a case is made of, but for its result.

    Attributes:
        name: in its set, without the primitive.
        attributes, operands, formats, constants: as those of a case; without ``output``.
    """

    name: str
    attributes: Mapping[str, Json]
    operands: Mapping[str, Array]
    formats: Mapping[str, Format]
    constants: Mapping[str, Array] = field(default_factory=dict)


def finish(primitive: str, call: Call) -> Case:
    """Return the case of a call: its result is what hw_models computes."""
    binding = PRIMITIVES[primitive]
    operands = [
        Operand(array.shape, call.formats[name], array if name in binding.constant else None)
        for name, array in call.operands.items()
    ]
    shape, output = binding.infer(operands, call.attributes)
    case = Case(
        name=f"{primitive}.{call.name}",
        layer="",
        primitive=primitive,
        attributes=call.attributes,
        operands=call.operands,
        constants=call.constants,
        formats={**call.formats, "output": output},
        expected=np.zeros(shape, output.dtype),
    )
    return replace(case, expected=compute(case))


class Codes:
    """Codes of a target's activations.

    Attributes:
        target: the contract.
        random: what is drawn.
    """

    def __init__(self, target: Target, random: np.random.Generator) -> None:
        self.target, self.random = target, random

    def array(self, form: FixedFormat, shape: tuple[int, ...]) -> Array:
        """Return codes of a format: its corners first, then uniform ones."""
        codes = self.random.integers(form.min, form.max, shape, endpoint=True, dtype=np.int64)
        near = [c for c in (form.min, form.max, 0, 1, -1, form.min + 1) if form.fits(c)]
        count = min(len(near), codes.size)
        codes.reshape(-1)[:count] = near[:count]
        return codes.astype(form.dtype)

    def pair(self, form: FixedFormat, count: int) -> dict[str, Array]:
        """Return a and b [1, at least count]: every two corners, then uniform ones."""
        ends = np.array([c for c in (form.min, form.max, 0, 1, -1) if form.fits(c)], np.int64)
        grid = np.stack(np.meshgrid(ends, ends, indexing="ij")).reshape(2, -1)
        drawn = self.random.integers(form.min, form.max, (2, count), endpoint=True, dtype=np.int64)
        both = np.concatenate([grid, drawn], axis=1).astype(form.dtype)
        return {"a": both[None, 0], "b": both[None, 1]}

    def point(self, form: FixedFormat, *, output: bool = False) -> int:
        """Return a zero point that the target's activations may have."""
        section: Any = self.target.output if output else self.target.input
        if not has_zero_point(section.scheme):
            return 0
        return int(self.random.integers(form.min, form.max, endpoint=True))
