"""What a lowered network is made of besides its Programs: values at its boundary, and steps."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from qsim.errors import ModelError
from qsim.program import (
    Json,
    check_name,
    check_names,
    check_scale,
    check_shape,
    is_int,
    json_object,
)
from qsim.target import Formula

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hw_models import FixedFormat
    from qsim.registry import Reason

Kind: TypeAlias = Literal["quantize", "dequantize", "program", "torch"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)
FORMULAS: Final[tuple[str, ...]] = get_args(Formula)
DTYPES: Final = (
    *("float32", "float64", "float16", "bfloat16", "bool"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)


@dataclass(frozen=True, slots=True)
class ValueSpec:
    """An input or output of a network.

    Attributes:
        name: of the value, as the steps use it.
        shape: sizes; -1 in front is any batch, of a result one row or several of each sample.
        dtype: ``float32``, or the container of integer codes (``int8``, ...).
        scale, zero_point: real value = scale * (code - zero_point), where there are codes.
        format: the codes that it may hold; None where it is no tensor of codes.
        free: dimensions whose size follows from the length of a sequence: (dimension, least,
            most), see ``qsim.network.lengths``; ``shape`` has the most.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    scale: float | None = None
    zero_point: int = 0
    format: FixedFormat | None = None
    free: tuple[tuple[int, int, int], ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name, "ValueSpec.name")
        where = f"value {self.name!r}"
        object.__setattr__(self, "shape", check_shape(self.shape, where, least=0))
        if self.dtype not in DTYPES:
            raise ModelError.of(
                f"{where}: dtype must be one of its names", self.dtype, ", ".join(DTYPES)
            )
        if self.scale is not None:
            object.__setattr__(self, "scale", check_scale(self.scale, where))
        if not is_int(self.zero_point) or abs(self.zero_point) >= 1 << 33:
            raise ModelError.of(
                f"{where}: zero_point must be a code", self.zero_point, "an integer"
            )
        if self.format is not None and self.dtype != str(self.format.dtype):
            raise ModelError.of(
                f"{where}: dtype must hold the format", self.dtype, str(self.format.dtype)
            )


@dataclass(frozen=True, slots=True)
class HostOperator:
    """An operator that stayed in torch, and why. Also readable as a mapping of its fields.

    Attributes:
        operator: ``aten.cumsum.default``.
        layer: the module path that it comes from; empty in the model's own forward.
        reason: in words.
        kind: of the reason, as ``qsim.registry.Reason`` has it; empty where a file says no kind.
        lacks: the primitives that the target has not, separated by commas.
    """

    operator: str
    layer: str
    reason: str
    kind: str = ""
    lacks: str = ""

    @classmethod
    def because(cls, operator: str, layer: str, reason: Reason) -> HostOperator:
        """Return the record of an operator that stays in torch for a reason."""
        return cls(operator, layer, reason.text, reason.kind, ", ".join(reason.lacks))

    def keys(self) -> Iterator[str]:
        """Return the names of the fields, so that ``dict(host_operator)`` works."""
        return (field.name for field in dataclasses.fields(self))

    def __getitem__(self, key: str) -> str:
        """Return a field by name."""
        if key not in set(self.keys()):
            raise KeyError(key)
        return str(getattr(self, key))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the host graph.

    Attributes:
        kind: ``quantize`` or ``dequantize`` (scale, zero_point, output, formula), ``program``
            (program: its index), ``torch`` (operator, args, kwargs: see ``qsim.network.hostops``).
        name: unique in the network.
        inputs, outputs: names of values; a program's in the order of its own.
        attributes: plain JSON.
    """

    kind: Kind
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Json]

    def __post_init__(self) -> None:
        check_name(self.name, "Step.name")
        where = f"step {self.name!r}"
        if self.kind not in KINDS:
            raise ModelError.of(
                f"{where}: kind must be one of its names", self.kind, ", ".join(KINDS)
            )
        for field in ("inputs", "outputs"):
            names = check_names(getattr(self, field), f"{where}: {field}")
            object.__setattr__(self, field, names)
        object.__setattr__(self, "attributes", json_object(self.attributes, where))
