"""What may be done about an operator on the host: what the shipped targets have is looked up."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import TargetError

if TYPE_CHECKING:
    from qsim.target import Target

PATTERN: Final = "docs/extending.md#the-pattern-and-the-pass"
FIELDS: Final = "docs/extending.md#a-pattern-field-by-field"
OVERRIDES: Final = "docs/quantize.md#overrides"
OWN_TARGET: Final = "docs/targets.md#your-own"
# So many targets are named in words; the JSON has them all.
_NAMED: Final = 3
# What says nothing of how integers are computed, or is what the targets differ in.
_ASIDE: Final = (
    "schema",
    "name",
    "reproduces",
    "notes",
    "checked",
    "primitives",
    "memory",
    "array",
)


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing that a reader may do.

    Attributes:
        text: in words.
        page: where the documentation says more; empty where it needs not.
        targets: shipped targets that have what this one lacks, the most alike first.
    """

    text: str
    page: str = ""
    targets: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {"text": self.text, "page": self.page, "targets": list(self.targets)}

    def __str__(self) -> str:
        return f"{self.text} ({self.page})" if self.page else self.text


_BY_KIND: Final = {
    "operator": Advice("a pattern of your own may lower it", PATTERN),
    "arguments": Advice("a pattern of your own may take it with these arguments", FIELDS),
    "type": Advice(
        "float16, bfloat16 and float64 become float32 by .float() on the model and its inputs"
    ),
    "integers": Advice("nothing: indices, masks and positions belong on the host"),
    "empty": Advice("nothing: there is nothing to compute"),
    "config": Advice("take its skip = true out of the --config file", OVERRIDES),
    "dynamic": Advice("dynamic = false for it in the --config file gives it codes", OVERRIDES),
    "idle": Advice("nothing: it follows as soon as an operator next to it is on the accelerator"),
    "batch": Advice(
        "keep samples apart: dimension 0 of every tensor is the batch, and nothing else goes there"
    ),
    "values": Advice("leave it on the host, or compute it of something that has no such codes"),
    "scheme": Advice("quantize for the target that the network is lowered for"),
    "operand": Advice("look at what makes its operand: that is on the host too"),
}


def advise(kind: str, lacks: tuple[str, ...], target: Target) -> tuple[Advice, ...]:
    """Return what may be done about operators that a target leaves on the host.

    Args:
        kind: of the reason, see ``qsim.registry.Reason``.
        lacks: the primitives that the target has not.
        target: the contract that the network was lowered for.
    """
    from qsim.target import has_zero_point

    if lacks:
        return tuple(_elsewhere(lacks, target))
    if kind == "values" and not has_zero_point(target.output.scheme):
        return (_with_zero_points(target), *_known(kind))
    return _known(kind)


def _known(kind: str) -> tuple[Advice, ...]:
    found = _BY_KIND.get(kind)
    return () if found is None else (found,)


def _with_zero_points(target: Target) -> Advice:
    """Return which targets have no codes beyond the values that calibration saw."""
    from qsim.target import has_zero_point

    found = tuple(
        name
        for name in having(("lookup",), target)
        if has_zero_point(next(t for t in _shipped() if t.name == name).output.scheme)
    )
    text = f"--target {found[0]} has zero points: its codes are values that calibration saw, and 0"
    return Advice(text, targets=found)


def _elsewhere(lacks: tuple[str, ...], target: Target) -> list[Advice]:
    """Return which shipped targets have all of these primitives, and how one of one's own has."""
    what = " and ".join(lacks)
    found = having(lacks, target)
    advice = [Advice(f"no shipped target has {what}")]
    if found:
        others = ", ".join(found[1:_NAMED])
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        also = f", as {'has' if len(found) == 2 else 'have'} {others}{more}" if others else ""
        text = f"--target {found[0]} has {what}{also}; each is another contract: other integers"
        advice = [Advice(text, targets=found)]
    if _may_have(lacks, target):
        text = f"if your datapath has {what}: name it in [primitives] of a target of your own"
        advice.append(Advice(text, OWN_TARGET))
    return advice


def having(primitives: tuple[str, ...], target: Target) -> tuple[str, ...]:
    """Return the shipped targets that have all of some primitives, the most like a target first."""
    own = _facts(target)
    alike = {
        other.name: -len(own & _facts(other))
        for other in _shipped()
        if other.name != target.name and all(map(other.has, primitives))
    }
    return tuple(sorted(alike, key=lambda name: (alike[name], name)))


@functools.cache
def _shipped() -> tuple[Target, ...]:
    from qsim.target import Target

    return tuple(map(Target.load, Target.names()))


def _facts(target: Target) -> set[tuple[str, str, str]]:
    """Return every field that says how integers are computed."""
    return {
        (section, field, str(value))
        for section, values in target.to_dict().items()
        if section not in _ASIDE and isinstance(values, dict)
        for field, value in values.items()
    }


def _may_have(primitives: tuple[str, ...], target: Target) -> bool:
    """Return whether a target that is the same otherwise may have some primitives."""
    from qsim.target import Target

    document = target.to_dict()
    available = [*document["primitives"]["available"], *primitives]
    try:
        Target.from_dict({**document, "primitives": {"available": available}})
    except TargetError:
        return False
    return True
