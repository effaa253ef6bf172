"""Formats that a person fixes for inputs and outputs: ``Q0.7``, or a scale and a zero point."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch.fx import GraphModule, Node

    from qsim.quantizer.config import QuantizeConfig

_Q: Final = re.compile(r"(U?)Q(?:(\d{1,2})\.)?(\d{1,2})")
# As the scales that calibration chooses.
_LEAST: Final = 2.0**-48
_FORMS: Final = 'a format as "Q0.7", or {scale = 0.5, zero_point = 0}'


@dataclass(frozen=True)
class Stated:
    """The parameters of one tensor: a code stands for ``scale * (code - zero_point)``.

    Attributes:
        scale: real value of one code, as fp32 has it.
        zero_point: the code of 0.
        bits: the width that was asked for; None takes that of the network.
        signed: likewise, whether there are negative codes.
    """

    scale: float
    zero_point: int = 0
    bits: int | None = None
    signed: bool | None = None

    @classmethod
    def read(cls, value: object, where: str) -> Stated:
        """Read the form that TOML and JSON have.

        ``Qm.n`` has a sign, m bits in front of the point and n behind it, ``Qn`` is ``Q0.n``;
        ``UQm.n`` has no sign.

        Raises:
            UsageError: it is none.
        """
        if isinstance(value, Stated):
            return value
        if isinstance(value, str):
            found = _Q.fullmatch(value)
            if found is None:
                raise UsageError(f"is {value!r}", where=where, accepted=_FORMS)
            front, back = int(found[2] or 0), int(found[3])
            return cls(2.0**-back, 0, (not found[1]) + front + back, signed=not found[1])
        if not isinstance(value, dict) or not {"scale"} <= set(value) <= {"scale", "zero_point"}:
            raise UsageError(f"is {value!r}", where=where, accepted=_FORMS)
        return cls(_scale(value["scale"], where), _zero_point(value.get("zero_point", 0), where))

    def plain(self) -> str | dict[str, Any]:
        """Return the form that ``read`` reads."""
        if self.bits is None:
            return {"scale": self.scale, "zero_point": self.zero_point}
        back = round(-math.log2(self.scale))
        front = self.bits - back - bool(self.signed)
        return f"{'' if self.signed else 'U'}Q{front}.{back}"

    def check(self, low: int, high: int, scheme: str, where: str) -> None:
        """Refuse what does not fit the codes low..high of a scheme.

        Raises:
            UsageError: another width or sign, or parameters that the scheme does not have.
        """
        bits, signed = (high - low).bit_length(), low < 0
        if self.bits is not None and (self.bits, self.signed) != (bits, signed):
            sign = "signed" if signed else "unsigned"
            raise UsageError(
                f"is {self.plain()}", where=where, accepted=f"{bits} bits, {sign}, as the target's"
            )
        if scheme != "asymmetric" and self.zero_point:
            raise UsageError(
                f"has zero point {self.zero_point}, but the scheme is {scheme}",
                where=where,
                accepted="zero point 0",
            )
        if scheme == "power_of_two" and math.frexp(self.scale)[0] != 0.5:
            raise UsageError(
                f"has scale {self.scale:.9g}, but the scheme is {scheme}",
                where=where,
                accepted="powers of two",
            )
        if not low <= self.zero_point <= high:
            raise UsageError(
                f"has zero point {self.zero_point}", where=where, accepted=f"{low}..{high}"
            )


def read_all(value: object, where: str) -> dict[str, Stated]:
    """Read a table of such parameters.

    Raises:
        UsageError: it is none, or one of them is none.
    """
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UsageError(f"is {value!r}", where=where, accepted="a table of named formats")
    return {name: Stated.read(item, f"{where}.{name}") for name, item in value.items()}


def by_group(
    model: GraphModule, config: QuantizeConfig, roots: Mapping[Node, Node]
) -> dict[Node, dict[str, Stated]]:
    """Return the parameters that a config fixes for each group of tensors, by their place in it.

    Args:
        model: the graph that is annotated.
        config: its ``inputs`` and ``outputs``.
        roots: the representative of the group of every tensor that gets codes.

    Raises:
        UsageError: a name that no input or output has, one without codes, or parameters that
            disagree within a group.
    """
    found: dict[Node, dict[str, Stated]] = {}
    for where, tensor, fixed in _places(model, config):
        if tensor not in roots:
            raise UsageError(
                "it has no codes: it stays in float, or holds integers",
                where=where,
                accepted="inputs and outputs that the target computes with",
            )
        others = found.setdefault(roots[tensor], {})
        for place, other in others.items():
            if (other.scale, other.zero_point) != (fixed.scale, fixed.zero_point):
                raise UsageError(
                    f"has other parameters than {place}, with which it shares them",
                    where=where,
                    accepted="the same",
                )
        others[where] = fixed
    return found


def _places(model: GraphModule, config: QuantizeConfig) -> list[tuple[str, Any, Stated]]:
    """Return the place in the config, the tensor and the parameters of each."""
    from torch.utils import _pytree

    sources: list[Node] = [node for node in model.graph.nodes if node.op == "placeholder"]
    results = _pytree.tree_leaves(model.graph.output_node().args[0])
    names = [str(node.target) for node in sources]
    inputs = {
        **{str(at): node for at, node in enumerate(sources)},
        **dict(zip(names, sources, strict=True)),
    }
    outputs = {str(at): node for at, node in enumerate(results)}
    return [
        *_matched("config.inputs", config.inputs, inputs, names),
        *_matched("config.outputs", config.outputs, outputs, list(outputs)),
    ]


def _matched(
    where: str, given: Mapping[str, Stated], known: Mapping[str, Any], names: Sequence[str]
) -> list[tuple[str, Any, Stated]]:
    for name in given:
        if name not in known:
            raise UsageError(f"the network has no {name!r}", where=where, accepted=", ".join(names))
    return [(f"{where}.{name}", known[name], fixed) for name, fixed in given.items()]


def _scale(value: object, where: str) -> float:
    import numpy as np

    number = float(value) if isinstance(value, (int, float)) and value is not True else 0.0
    if _LEAST <= number <= 1 / _LEAST:
        return float(np.float32(number))
    raise UsageError(f"has scale {value!r}", where=where, accepted="2**-48 to 2**48")


def _zero_point(value: object, where: str) -> int:
    if type(value) is int:
        return value
    raise UsageError(f"has zero point {value!r}", where=where, accepted="a code")
