"""``[training]``: how weights and scales are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias, get_args

from qsim.quantizer.settings.fields import number, one_of, whole

if TYPE_CHECKING:
    from qsim.quantizer.settings.fields import Checks

Algorithm: TypeAlias = Literal["iao", "lsq", "lsq+", "tqt", "pact"]
Loss: TypeAlias = Literal["cross_entropy", "mse", "distillation"]
ALGORITHMS: Final[tuple[Algorithm, ...]] = get_args(Algorithm)
LOSSES: Final[tuple[Loss, ...]] = get_args(Loss)


@dataclass(frozen=True)
class Training:
    """How a network is trained with fake quantization.

    Attributes:
        epochs: passes over the training samples.
        batch: samples of one step.
        optimizer: ``adam`` or ``sgd`` (with momentum 0.9).
        learning_rate: of weights and biases, at the first step.
        scale_learning_rate: of scales, thresholds and offsets; of scales as logarithms.
        schedule: ``cosine`` lets both rates fall to 0 over the training; ``constant``.
        weight_decay: of weights alone.
        loss: ``cross_entropy`` and ``mse`` compare with the labels; ``distillation`` with what the
            float network says, and needs no labels.
        freeze_batch_norm: the part of the training after which statistics of batch norms stand; 0
            trains with those that the model came with.
        seed: of the order of samples.
    """

    epochs: int = 3
    batch: int = 64
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    scale_learning_rate: float = 1e-2
    schedule: str = "cosine"
    weight_decay: float = 0.0
    loss: Loss = "cross_entropy"
    freeze_batch_norm: float = 0.0
    seed: int = 0

    CHECKS: ClassVar[Checks] = {
        "epochs": whole(1),
        "batch": whole(1),
        "optimizer": one_of("adam", "sgd"),
        "learning_rate": number(0.0),
        "scale_learning_rate": number(0.0),
        "schedule": one_of("cosine", "constant"),
        "weight_decay": number(0.0),
        "loss": one_of(*LOSSES),
        "freeze_batch_norm": number(0.0, 1.0),
        "seed": whole(0, 2**63 - 1),
    }
