"""What a Program is made of: tensors of codes, and the calls of primitives that make them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsim.errors import ModelError
from qsim.program.attributes import (
    Array,
    Json,
    check_name,
    check_names,
    check_scale,
    check_shape,
    is_int,
    json_object,
)
from qsim.registry import codes_of

if TYPE_CHECKING:
    from hw_models import FixedFormat, Format, Ledger

Observer = Callable[["Call", Array, "Ledger"], None]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What is known of a tensor. Of codes, the real value is ``scale * (code - zero_point)``.

    Attributes:
        name: unique in its Program.
        shape: sizes; -1 in front is any batch.
        format: the codes that it may hold (for an accumulator, the accumulator's), or
            ``hw_models.FLOAT32``: IEEE 754 values that are no codes.
        scale: None where there is no single real scale: accumulators, per-channel constants,
            positions.
        zero_point: the code of the real 0.
    """

    name: str
    shape: tuple[int, ...]
    format: Format
    scale: float | None = None
    zero_point: int = 0

    def __post_init__(self) -> None:
        from hw_models import FixedFormat, FloatFormat

        check_name(self.name, "TensorSpec.name")
        where = f"tensor {self.name!r}"
        object.__setattr__(self, "shape", check_shape(self.shape, where))
        if isinstance(self.format, FloatFormat):
            self._is_its_own_value(where)
            return
        if not isinstance(self.format, FixedFormat):
            raise ModelError.of(
                f"{where}: format must be a FixedFormat or FLOAT32", self.format, "one of the two"
            )
        if self.scale is not None:
            object.__setattr__(self, "scale", check_scale(self.scale, where))
        if not is_int(self.zero_point) or not self.format.fits(self.zero_point):
            raise ModelError.of(
                f"{where}: zero_point must be a code of its format",
                self.zero_point,
                f"{self.format.min}..{self.format.max}",
            )

    def _is_its_own_value(self, where: str) -> None:
        """Require of a tensor of float32 values that no scale and no zero point is stated."""
        if self.scale is not None or self.zero_point != 0:
            raise ModelError.of(
                f"{where}: float32 values have no scale and no zero point",
                (self.scale, self.zero_point),
                "scale=None, zero_point=0",
            )

    @property
    def codes(self) -> FixedFormat:
        """The format, of a tensor that must hold codes.

        Raises:
            ModelError: it holds float32 values.
        """
        try:
            return codes_of(self.format)
        except ModelError as error:
            raise ModelError.placed(error, f"tensor {self.name!r}") from None


@dataclass(frozen=True, slots=True)
class Call:
    """One primitive of a Program.

    Attributes:
        name: unique in its Program.
        layer: the module path in the model that the call comes from, such as "layer1.0.conv1";
            empty at the top level.
        primitive: a key of ``qsim.program.primitives.PRIMITIVES``.
        inputs: names of tensors or constants, in the primitive's order.
        output: name of the tensor that it makes.
        attributes: JSON values, exactly those of the primitive; kept as plain JSON.
    """

    name: str
    layer: str
    primitive: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Json]

    def __post_init__(self) -> None:
        check_name(self.name, "Call.name")
        where = f"call {self.name!r}"
        if self.layer != "":
            check_name(self.layer, f"{where}: layer")
        check_name(self.output, f"{where}: output")
        object.__setattr__(self, "inputs", check_names(self.inputs, f"{where}: inputs"))
        object.__setattr__(self, "attributes", json_object(self.attributes, where))

    @property
    def where(self) -> str:
        """The call as errors name it."""
        return f"call {self.name!r} ({self.primitive})"
