"""``[calibration]``: how much of the calibration data is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qsim.quantizer.settings.fields import read, whole


@dataclass(frozen=True)
class Calibration:
    """Which calibration data give the ranges.

    Attributes:
        batches: the first so many; None takes all.
    """

    batches: int | None = None

    @classmethod
    def from_table(cls, table: object, where: str) -> Calibration:
        """Read ``[calibration]``.

        Raises:
            UsageError: an unknown field or a value that is not accepted.
        """
        return read(cls, table, _CHECKS, where)


_CHECKS: Final = {"batches": whole(1)}
