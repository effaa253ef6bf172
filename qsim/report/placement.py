"""Where a network's work is done: on the accelerator or on the host, and why there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qsim.report.advice import Advice, advise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsim.target import Target


@dataclass
class HostGroup:
    """Operators that are on the host for one reason.

    Attributes:
        reason: as lowering gives it.
        kind: of the reason, see ``qsim.registry.Reason``; empty where nobody says.
        lacks: the primitives that the target has not.
        operators: how often each is there, by name, in the order of the network.
        layers: the module paths that they come from, each once.
        macs: their multiply-accumulates of one sample; None where nobody counted.
        advice: what may be done about it.
    """

    reason: str
    kind: str = ""
    lacks: tuple[str, ...] = ()
    operators: dict[str, int] = field(default_factory=dict)
    layers: list[str] = field(default_factory=list)
    macs: int | None = None
    advice: tuple[Advice, ...] = ()

    @property
    def count(self) -> int:
        """How many operators."""
        return sum(self.operators.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of one reason."""
        return {
            "reason": self.reason,
            "kind": self.kind,
            "count": self.count,
            "operators": dict(self.operators),
            "layers": list(self.layers),
            "macs": self.macs,
            "advice": [item.to_dict() for item in self.advice],
        }


def by_reason(
    operators: Sequence[Mapping[str, Any]], target: Target | None = None
) -> list[HostGroup]:
    """Group host operators by their reason, the most frequent first.

    Args:
        operators: operator, layer and reason of each; ``calls``, if it is there more than once;
            ``kind`` and ``lacks`` of the reason and ``macs`` of the operator, where they are known.
        target: the contract that the network was lowered for; None for no advice.
    """
    groups: dict[tuple[str, str], HostGroup] = {}
    for item in operators:
        reason, kind = item.get("reason", ""), item.get("kind", "")
        lacks = tuple(name for name in item.get("lacks", "").split(", ") if name)
        group = groups.setdefault((reason, kind), HostGroup(reason, kind, lacks))
        name, layer = item["operator"], item.get("layer", "")
        group.operators[name] = group.operators.get(name, 0) + int(item.get("calls", 1))
        if layer and layer not in group.layers:
            group.layers.append(layer)
        if item.get("macs") is not None:
            group.macs = (group.macs or 0) + int(item["macs"])
    for group in groups.values():
        if target is not None:
            group.advice = advise(group.kind, group.lacks, target)
    return sorted(groups.values(), key=lambda group: -group.count)


@dataclass(frozen=True)
class Share:
    """How much of something is on the accelerator.

    Attributes:
        accelerator: so much.
        host: so much in torch.
    """

    accelerator: int
    host: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.accelerator + self.host

    @property
    def fraction(self) -> float | None:
        """The accelerator's part; None where there is nothing."""
        return self.accelerator / self.total if self.total else None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {"accelerator": self.accelerator, "host": self.host, "share": self.fraction}
