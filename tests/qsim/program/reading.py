"""What several tests read out of documents, networks and traces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_models.formats import FixedFormat

if TYPE_CHECKING:
    from qsim.network.lowered import Lowered
    from qsim.network.trace import Trace


def fixed_format(document: Mapping[str, Any]) -> FixedFormat:
    """The format that an attribute of a call describes."""
    return FixedFormat(document["bits"], document["signed"], narrow=document["narrow"])


def primitives(network: Lowered) -> list[str]:
    """The primitives of a network's calls, in the order in which they run."""
    return [call.primitive for program in network.programs for call in program.calls]


def host(network: Lowered) -> dict[str, str]:
    """The operators that stay in torch, and why."""
    return {item.operator.removeprefix("aten."): item.reason for item in network.host_operators}


def host_value(trace: Trace, name: str) -> np.ndarray:
    """A value of the host graph; a program's tensor may have its name."""
    return trace.tensors.get(f"{name}.value", trace.tensors[name])
