"""The proof of softmax: its exponential. What follows, a sum and a quotient, is not proved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hw_models.softmax import IbertSoftmax
from qsim.cosim.jobs import softmax
from qsim.errors import UsageError
from qsim.formal import exponential
from qsim.formal.provable import calls_of
from qsim.program import decode_scheme

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.formal.run import Task
    from qsim.network import Lowered
    from qsim.target import Target


def tasks(target: Target, lowered: Lowered | None, rtl: Path | None) -> list[Task]:
    """Return what there is to prove: see ``qsim.formal.provable``."""
    if lowered is None:
        if target.units is None:
            _refuse(f"target {target.name}", "a target with units")
        return [exponential.task("softmax", softmax.SOURCES, rtl)]
    layers = []
    for program, call in calls_of(lowered, "softmax"):
        scheme = decode_scheme(call.attributes["scheme"], program.constants)
        if not isinstance(scheme, IbertSoftmax):
            _refuse(call.layer or call.name, "ibert_softmax")
        layers.append((call.layer or call.name, scheme.exponential))
    return [exponential.task("softmax", softmax.SOURCES, rtl, layers)]


def _refuse(where: str, accepted: str) -> None:
    raise UsageError("no RTL for its scheme of softmax", where=where, accepted=accepted)
