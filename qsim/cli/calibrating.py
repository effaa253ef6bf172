"""Quantizing a loaded model with a bar for each stage: its calibration, then what it learns."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from qsim.cli.output import Output
    from qsim.models import Model
    from qsim.quantizer import QuantizeConfig, Quantized
    from qsim.quantizer.learning import Progress
    from qsim.target import Target


class Stages:
    """The bars of a quantization: one for the calibration, one for each stage of learning."""

    def __init__(self, output: Output, batches: int | None) -> None:
        self._output, self._stack, self._name, self._done = output, ExitStack(), "", 0
        self._advance = self._stack.enter_context(output.stage("calibrating", batches))
        self.begun = 0  # steps that a checkpoint had

    def calibrated(self, _done: int) -> None:
        """Take note of one batch."""
        self._advance(1)

    def watch(self, progress: Progress) -> None:
        """Take note of a step of learning."""
        if progress.stage != self._name:
            self._stack.close()
            self._name, self.begun, self._done = progress.stage, progress.done - 1, 0
            stage = self._output.stage(progress.stage, progress.total)
            self._advance = self._stack.enter_context(stage)
        self._advance(progress.done - self._done)
        self._done = progress.done

    def close(self) -> None:
        """Take the bars away."""
        self._stack.close()


def quantized_model(
    model: Model,
    target: Target,
    settings: QuantizeConfig | None,
    output: Output,
    checkpoint: Path | None = None,
) -> tuple[Quantized, int]:
    """Quantize a loaded model, with a bar for each stage.

    Returns:
        The network, and how many steps of learning a checkpoint had.
    """
    from qsim.quantizer import quantize

    trains = settings is not None and settings.training is not None
    learns = trains or (settings is not None and settings.reconstruction is not None)
    stages = Stages(output, None if model.calibration is None else len(model.calibration))
    try:
        quantized = quantize(
            model.module,
            model.example_inputs,
            target,
            calibration=model.calibration,
            config=settings,
            progress=stages.calibrated,
            lengths=model.lengths,
            training=model.training if trains else None,
            watch=stages.watch,
            checkpoint=checkpoint if learns else None,
        )
    finally:
        stages.close()
    return quantized, stages.begun
