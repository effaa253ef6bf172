"""What went into delegates, and what did not and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qsim.network import HostOperator


@dataclass(frozen=True, slots=True)
class Region:
    """One delegate.

    Attributes:
        tag: the name of its partition.
        operators: names of its operators, in the graph's order, quantize and dequantize left out.
    """

    tag: str
    operators: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """What a partitioner did, over all graphs that it was given.

    Attributes:
        regions: the delegates.
        host: the operators left to ExecuTorch's kernels, with the reasons that ``qsim.lower``
            gives.
    """

    regions: list[Region] = field(default_factory=list)
    host: list[HostOperator] = field(default_factory=list)

    def __str__(self) -> str:
        delegated = sum(len(region.operators) for region in self.regions)
        lines = [
            f"{delegated} operators in {len(self.regions)} delegates, {len(self.host)} outside"
        ]
        lines += [f"  {r.tag}: {', '.join(r.operators) or 'no operator'}" for r in self.regions]
        lines += [
            f"  outside: {item.operator} in {item.layer or 'the model'}: {item.reason}"
            for item in self.host
        ]
        return "\n".join(lines)
