"""``[reconstruction]``: how the rounding of weights is learned from calibration data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias, get_args

from qsim.quantizer.settings.fields import number, one_of, whole

if TYPE_CHECKING:
    from qsim.quantizer.settings.fields import Checks

Rounding: TypeAlias = Literal["adaround", "brecq", "qdrop"]
ROUNDINGS: Final[tuple[Rounding, ...]] = get_args(Rounding)


@dataclass(frozen=True)
class Reconstruction:
    """How weights are rounded up or down, so that what they compute changes least.

    Attributes:
        algorithm: ``adaround`` layer by layer; ``brecq`` block by block, errors weighted by the
            Fisher information; ``qdrop`` as brecq, with activations quantized at random.
        iterations: steps of each layer or block.
        batch: samples of one step.
        learning_rate: of the rounding.
        scale_learning_rate: of the logarithms of activations' scales (``brecq``, ``qdrop``).
        regularization: weight of the term that drives roundings to 0 or 1.
        warm_up: the part of the steps without that term.
        drop: the part of the activations that stay in float (``qdrop``).
        seed: of the samples' order, and of what is dropped.
    """

    algorithm: Rounding = "adaround"
    iterations: int = 1000
    batch: int = 32
    learning_rate: float = 3e-2
    scale_learning_rate: float = 1e-4
    regularization: float = 1.0
    warm_up: float = 0.2
    drop: float = 0.5
    seed: int = 0

    CHECKS: ClassVar[Checks] = {
        "algorithm": one_of(*ROUNDINGS),
        "iterations": whole(1),
        "batch": whole(1),
        "learning_rate": number(0.0),
        "scale_learning_rate": number(0.0),
        "regularization": number(0.0),
        "warm_up": number(0.0, 1.0),
        "drop": number(0.0, 1.0),
        "seed": whole(0, 2**63 - 1),
    }
