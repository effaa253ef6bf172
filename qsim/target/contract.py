"""The target: what a datapath does to every bit. Its sections are in ``qsim.target.sections``.

The rules between fields are in ``qsim.target.rules``, and reading in ``qsim.target.load``.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from qsim import canonical
from qsim.errors import UsageError
from qsim.target import load as reading
from qsim.target.fields import defaults
from qsim.target.rules import check
from qsim.target.sections import (
    OPTIONAL,
    SCHEMA,
    SECTIONS,
    Add,
    Array,
    AvgPool,
    Bias,
    Correlation,
    Input,
    Memory,
    Output,
    Padding,
    Primitives,
    Quantize,
    Requantize,
    RequantizeLinear,
    RequantizeMul,
    Sum,
    Weight,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from qsim.target.optional import Dynamic, Floats, Recurrent, Units

# A linear layer is a 1x1 correlation on the same array: no datapath has one without the other.
_ALIASES: Final = {"linear": "correlation"}
# A description changes no bit: two files that differ in it alone are one datapath.
_NOT_HASHED: Final = ("name", "reproduces", "notes")


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """The contract of one datapath.

    Attributes:
        name: lower-case letters, digits, ``.``, ``_`` and ``-``; 1 to 64 of them.
        reproduces: the real system whose integers these are.
        notes: where the target and that system part ways.
        input, weight, correlation, bias, sum, output, requantize, padding, quantize, add,
            avg_pool, primitives, memory, array: the sections of the TOML file.
        requantize_linear, requantize_mul: sections that a file has only where linear layers and
            element-wise products are rescaled in another way.
        recurrent: whose order of roundings recurrent cells have; None for TFLite-Micro's.
        dynamic: products whose activations are quantized at run time; None where there are none.
        units: widths of norms and I-BERT's softmax; None where there are none, and tables.
        floats: what computes in float32 around ``dynamic``; None where that is the host's.
        schema: version of the contract's form.
        checked: which release of that system was compared, and how; empty where nobody says. It
            describes a target's file: nothing that holds a target carries it, and targets that
            differ in it alone are equal.

    Raises:
        TargetError: a field or a combination of fields is not acceptable.
    """

    name: str
    reproduces: str
    notes: str
    input: Input
    weight: Weight
    correlation: Correlation
    bias: Bias
    sum: Sum
    output: Output
    requantize: Requantize
    padding: Padding
    quantize: Quantize
    add: Add
    avg_pool: AvgPool
    primitives: Primitives
    memory: Memory
    array: Array
    requantize_linear: RequantizeLinear | None = None
    requantize_mul: RequantizeMul | None = None
    recurrent: Recurrent | None = None
    dynamic: Dynamic | None = None
    units: Units | None = None
    floats: Floats | None = None
    schema: int = SCHEMA
    checked: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        check(self)

    @classmethod
    def load(cls, target: str | os.PathLike[str]) -> Target:
        """Return a shipped target by name, or the one in a ``.toml`` file.

        Raises:
            TargetError: unknown name, unreadable file, or a contract that is not acceptable.
        """
        return reading.load(target, cls)

    @classmethod
    def require(cls, value: object) -> Target:
        """Return value if it is a target, for functions that take one.

        Raises:
            UsageError: it is something else, such as a target's name.
        """
        if isinstance(value, Target):
            return value
        shown = repr(value) if isinstance(value, str) else type(value).__name__
        raise UsageError(
            f"the target must be a qsim.Target, not {shown:.80}",
            accepted="qsim.Target.load(NAME or PATH)",
        )

    def __repr__(self) -> str:
        return f"Target({self.name!r}, {self.short_hash})"

    @classmethod
    def from_toml(cls, text: str, where: str = "") -> Target:
        """Return the target that a TOML text states; ``where`` names it in errors.

        Raises:
            TargetError: not TOML, or a contract that is not acceptable.
        """
        return reading.from_toml(text, cls, where)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str = "") -> Target:
        """Return the target that ``to_dict`` wrote, checked as strictly as a file.

        Raises:
            TargetError: a contract that is not acceptable.
        """
        return reading.from_dict(data, cls, where)

    @staticmethod
    def names() -> tuple[str, ...]:
        """Return the names of the shipped targets, sorted."""
        return reading.names()

    def to_dict(self) -> dict[str, Any]:
        """Return the contract as JSON values, in the form of the TOML file, without ``checked``."""
        head = {"schema": self.schema, "name": self.name}
        head |= {"reproduces": self.reproduces, "notes": self.notes}
        sections = ((name, getattr(self, name)) for name in SECTIONS)
        return head | {
            name: _plain(section)
            for name, section in sections
            if section is not None or name not in OPTIONAL
        }

    @property
    def hash(self) -> str:
        """``sha256:`` and 64 hexadecimal digits over every field but name and descriptions."""
        fields = {k: v for k, v in self.to_dict().items() if k not in _NOT_HASHED}
        return f"sha256:{hashlib.sha256(canonical.text(fields).encode()).hexdigest()}"

    @property
    def short_hash(self) -> str:
        """The hash as people read it: ``sha256:`` and 16 digits."""
        return self.hash[: len("sha256:") + 16]

    def requantize_of(self, operator: str) -> Requantize:
        """Return how an operator's result is rescaled.

        Args:
            operator: ``linear``, ``mul``, or another, which has no section of its own.
        """
        if operator == "linear":
            return self.requantize_linear or self.requantize
        if operator == "mul" and self.requantize_mul is not None:
            return self.requantize_mul
        if operator == "mul":
            return dataclasses.replace(self.requantize, derive="float32")
        return self.requantize

    def has(self, primitive: str) -> bool:
        """Return whether the datapath has a primitive; ``linear`` is part of ``correlation``."""
        return _ALIASES.get(primitive, primitive) in self.primitives.available


def _plain(section: Any) -> dict[str, Any]:
    """Return a section as JSON values, without the optional fields that say nothing."""
    values = {field.name: getattr(section, field.name) for field in dataclasses.fields(section)}
    silent = defaults(type(section))
    return {
        k: list(v) if isinstance(v, tuple) else v
        for k, v in values.items()
        if k not in silent or v != silent[k]
    }
