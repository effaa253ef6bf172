"""Why an operator stays on the host: what kind of reason it is, and the words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

Kind: TypeAlias = Literal[
    "operator",
    "arguments",
    "type",
    "integers",
    "empty",
    "target",
    "config",
    "dynamic",
    "idle",
    "batch",
    "values",
    "scheme",
    "operand",
    "",
]
KINDS: Final[tuple[str, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason. What a reader may do about it follows from its kind: ``qsim.report.advice``.

    Attributes:
        kind: ``operator``: no pattern claims it. ``arguments``: one does, with other arguments.
            ``type``: it computes or reads floats other than float32. ``integers``: it computes or
            reads integers or bools. ``empty``: there are no elements. ``target``: the target lacks
            primitives. ``config``: the configuration leaves it in float. ``dynamic``: it is float32
            among products that are quantized at run time. ``idle``: it only moves data, and nothing
            next to it computes in integers. ``batch``: samples would not be computed apart.
            ``values``: the function has no value for some codes. ``scheme``: the
            datapath has not the scales, zero points or codes. ``operand``: an operand has no codes.
            Empty: there is nothing to do about it, or a file says the words alone.
        text: in words, about an ``it`` that the report names.
        lacks: the primitives that the target has not.
    """

    kind: Kind
    text: str
    lacks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text

    @classmethod
    def of(cls, value: str | Reason) -> Reason:
        """Return a reason; words alone, as patterns give them, are about arguments."""
        return value if isinstance(value, Reason) else cls("arguments", value)

    @classmethod
    def of_type(cls, kind: str, *, made: bool = False) -> Reason:
        """Return the reason of an operator that reads, or makes, something other than float32.

        Args:
            kind: as ``qsim.graph.kind`` says it.
            made: by the operator; else it reads it.
        """
        if kind == "bool" or kind.startswith(("int", "uint")):
            text = "it reads or makes integers or bools; the primitives compute float32"
            return cls("integers", text)
        if made:
            return cls("type", f"it computes {kind}; the primitives replace float32")
        return cls("type", f"it reads {kind}; the primitives take activations in float32")

    @classmethod
    def lacking(cls, target: str, *primitives: str) -> Reason:
        """Return the reason of an operator whose primitives a target has not."""
        return cls("target", f"target {target} has no {' and no '.join(primitives)}", primitives)
