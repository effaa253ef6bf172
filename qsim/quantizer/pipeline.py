"""``quantize``: capture, observe, convert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsim.quantizer.config import QuantizeConfig
from qsim.registry import entry_points
from qsim.target import Target
from qsim.torch_threads import one_torch_thread

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    import torch
    from torch.export import ExportedProgram

    from qsim.graph import Batch
    from qsim.quantizer.learning import Progress, Samples
    from qsim.quantizer.lengths import Lengths
    from qsim.quantizer.quantized import Quantized


def quantize(
    model: torch.nn.Module | ExportedProgram,
    example_inputs: Batch,
    target: Target,
    calibration: Iterable[Batch] | None = None,
    config: QuantizeConfig | Mapping[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
    lengths: Lengths | None = None,
    training: Samples | tuple[Any, Any] | None = None,
    watch: Callable[[Progress], None] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> Quantized:
    """Quantize a float module for a target: post-training, by PT2E.

    What is quantized already keeps its codes, scales and zero points: modules of torch's
    ``quantize_dynamic``, weights of torchao's ``quantize_``, graphs that PT2E converted. Nothing is
    calibrated then.

    Args:
        model: the module, or a program from ``load_pt2``; it is not changed.
        example_inputs: one tensor per argument of forward, or a dict of keyword arguments; None,
            numbers, bools and text among them are fixed. Where the model allows it, dimension 0 is
            taken as the batch and may have any size afterwards.
        target: formats, scheme and derivation of every scale.
        calibration: batches whose activations give the ranges, each a tensor or a tuple of tensors.
            None calibrates on the example inputs, which is enough to look at a network but not to
            judge its accuracy. Of a model with states they are steps of one run, in their order.
        config: overrides, as ``QuantizeConfig`` or the dictionary of its TOML form.
        progress: called after each calibration batch with the number of batches done.
        lengths: the dimensions that are the length of a sequence, as ``dynamic_shapes`` of
            torch.export: ``{"tokens": {1: Dim("length", min=1, max=128)}}``, or a pair of bounds
            for the Dim. The network takes every length within them, and calibration batches may
            have any. None takes those of an exported program that has some.
        training: samples for what the configuration trains (``[training]``): a tuple of inputs, one
            tensor for each argument with samples along dimension 0, and labels (or None).
        watch: called after each step of learning with a ``Progress``.
        checkpoint: a file that learning is kept in, epoch by epoch. Where it is there, the same
            learning goes on from it, and ends as if it had never been interrupted.

    Returns:
        The Q/DQ graph. The result depends on the arguments only: same arguments, same bits, on
        any processor. To this end calibration runs in float64 and scales lie on a grid. What is
        trained is float32: the same on the same machine, and elsewhere another training.

    Raises:
        UsageError: an argument of the wrong type, or a config that matches nothing or asks for more
            than the target has; an extension that cannot be loaded.
        ModelError: the model cannot be exported or holds NaN.
        InputError: calibration data of the wrong shape, or that leads to NaN or infinity.
    """
    from qsim.graph import capture, check_inputs, quiet
    from qsim.quantizer.double import Double
    from qsim.quantizer.learning import again, learn, require_one_length, samples_of
    from qsim.quantizer.lengths import bounds_of, quantized_family
    from qsim.quantizer.stages import (
        batches,
        calibrate,
        convertible,
        finish,
        first_batches,
        prepare,
        quantized_of,
    )

    with quiet():  # torchao tells of what it cannot load
        from qsim.quantizer.prequantized import holds_codes, require_no_config, spelled, take
    Target.require(target)
    entry_points.load()
    arguments = check_inputs(model, example_inputs)
    checked = _config(config)
    checked.check(target)
    calibration = first_batches(calibration, checked.calibration.batches)
    bounds = bounds_of(lengths, model, arguments)
    samples = samples_of(checked, training)
    if bounds is not None:
        require_one_length(checked)
        return quantized_family(model, arguments, bounds, target, checked, calibration, progress)
    with spelled(model) as found:
        captured = capture(model, arguments)
    if found.modules or holds_codes(captured.program.graph):
        require_no_config(checked)
        with quiet(), one_torch_thread():
            per_token = found.per_token
            return take(captured, arguments.tensors, target, per_token=per_token)[0]
    with quiet(), one_torch_thread():
        prepared = prepare(captured.program, target, checked)
        # Scales of run time need no data; weights are observed in any run.
        data = calibration if prepared.quantizer.calibrates else None
        if again(checked):
            data = list(batches(arguments, data))
        with convertible():
            double = Double(prepared.graph)
        calibrate(lambda _: (double, arguments.tensors), arguments, data, progress, prepared.states)
        fake = learn(prepared, data, samples, watch, checkpoint)
        graph, float_graph = finish(prepared)
    quantized = quantized_of(prepared, captured, (graph, float_graph), arguments.tensors)
    quantized.fake_graph = fake
    return quantized


def _config(config: QuantizeConfig | Mapping[str, Any] | None) -> QuantizeConfig:
    if config is None:
        return QuantizeConfig()
    if isinstance(config, QuantizeConfig):
        return config
    return QuantizeConfig.from_dict(config)
