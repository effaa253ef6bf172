"""Where a network's work is done: on the accelerator or on the host, and why there."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass
class Reason:
    """Operators that are on the host for one reason.

    Attributes:
        reason: as lowering gives it.
        operators: how often each is there, by name, in the order of the network.
        layers: the module paths that they come from, each once.
    """

    reason: str
    operators: dict[str, int] = field(default_factory=dict)
    layers: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many operators."""
        return sum(self.operators.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of one reason."""
        return {
            "reason": self.reason,
            "count": self.count,
            "operators": dict(self.operators),
            "layers": list(self.layers),
        }


def by_reason(operators: Sequence[Mapping[str, Any]]) -> list[Reason]:
    """Group host operators by their reason, the most frequent first.

    Args:
        operators: operator, layer and reason of each; ``calls``, if it is there more than once.
    """
    groups: dict[str, Reason] = {}
    for item in operators:
        group = groups.setdefault(item.get("reason", ""), Reason(item.get("reason", "")))
        name, layer = item["operator"], item.get("layer", "")
        group.operators[name] = group.operators.get(name, 0) + int(item.get("calls", 1))
        if layer and layer not in group.layers:
            group.layers.append(layer)
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


class HostWork:
    """Multiply-accumulates of torch's own operators: torch counts them as they run.

    Attributes:
        macs: of all blocks that were counted.
    """

    def __init__(self) -> None:
        self.macs = 0

    @contextmanager
    def count(self) -> Iterator[None]:
        """Count the matrix products and convolutions that torch computes in a block."""
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            yield
        # Two floating-point operations are one multiply-accumulate.
        self.macs += int(counter.get_total_flops()) // 2
