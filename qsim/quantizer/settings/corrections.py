"""``[equalization]`` and ``[bias_correction]``: what needs no training; a table turns it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qsim.quantizer.settings.fields import read, whole


@dataclass(frozen=True)
class Equalization:
    """Cross-layer equalization: neighbours share out the ranges of the channels between them.

    Attributes:
        iterations: passes over the network.
    """

    iterations: int = 10

    @classmethod
    def from_table(cls, table: object, where: str) -> Equalization:
        """Read ``[equalization]``.

        Raises:
            UsageError: an unknown field or a value that is not accepted.
        """
        return read(cls, table, {"iterations": whole(1)}, where)


@dataclass(frozen=True)
class BiasCorrection:
    """Biases take off what rounding the weights adds to the mean of each channel.

    Attributes:
        batches: of the calibration, whose means are compared.
    """

    batches: int = 8

    @classmethod
    def from_table(cls, table: object, where: str) -> BiasCorrection:
        """Read ``[bias_correction]``.

        Raises:
            UsageError: an unknown field or a value that is not accepted.
        """
        return read(cls, table, _CORRECTION, where)


_CORRECTION: Final = {"batches": whole(1)}
