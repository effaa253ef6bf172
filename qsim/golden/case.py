"""A golden case: one call of a primitive, all that it read, and the codes that it made."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from qsim.errors import ModelError
from qsim.program import PRIMITIVES, Array, check_name, json_object
from qsim.registry import codes_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hw_models import FixedFormat, Format
    from qsim.program import Json


@dataclass(frozen=True, slots=True)
class Case:
    """One call of a primitive and its expected output.

    Attributes:
        name: unique in its set.
        layer: the module path in the model, empty for directed vectors.
        primitive: a key of ``qsim.program.primitives.PRIMITIVES``.
        attributes: those of the call; an array is ``{"constant": name}``.
        operands: arrays of codes by the primitive's operand names, in their order; a weight or a
            bias is one of them.
        constants: the arrays that attributes name.
        formats: the format of every operand, by name, and of the result, as ``"output"``.
        expected: what the primitive makes of them.
        classes: how many elements of the output each class of directed vectors has; empty for
            a recorded call.
    """

    name: str
    layer: str
    primitive: str
    attributes: Mapping[str, Json]
    operands: Mapping[str, Array]
    constants: Mapping[str, Array]
    formats: Mapping[str, Format]
    expected: Array
    classes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name, "Case.name")
        binding = PRIMITIVES.get(self.primitive)
        if binding is None:
            raise ModelError(
                f"case {self.name!r}: no such primitive: {self.primitive!r}",
                accepted=", ".join(PRIMITIVES),
            )
        slots = binding.slots(len(self.operands))
        if tuple(self.operands) != slots:
            raise ModelError(
                f"case {self.name!r}: operands must be the primitive's, not {list(self.operands)}",
                accepted=", ".join(slots),
            )
        if set(self.formats) != {*slots, "output"}:
            raise ModelError(
                f"case {self.name!r}: formats must be given for every operand and the output, "
                f"not {sorted(self.formats)}",
                accepted=", ".join((*slots, "output")),
            )
        frozen = json_object(self.attributes, f"case {self.name!r}")
        object.__setattr__(self, "attributes", frozen)
        for name in ("operands", "constants", "formats", "classes"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def codes(self) -> Mapping[str, FixedFormat]:
        """The formats, of a case whose operands and result are all codes.

        Raises:
            ModelError: one holds float32 values.
        """
        return {name: codes_of(form) for name, form in self.formats.items()}

    @property
    def size(self) -> int:
        """Elements of its result."""
        return int(self.expected.size)
