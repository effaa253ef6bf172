"""``[calibration]``: how much of the calibration data is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from qsim.quantizer.settings.fields import whole

if TYPE_CHECKING:
    from qsim.quantizer.settings.fields import Checks


@dataclass(frozen=True)
class Calibration:
    """Which calibration data give the ranges.

    Attributes:
        batches: the first so many; None takes all.
    """

    batches: int | None = None

    CHECKS: ClassVar[Checks] = {"batches": whole(1)}
