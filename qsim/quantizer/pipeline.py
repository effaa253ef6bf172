"""``quantize``: capture, observe, convert."""

from __future__ import annotations

import copy
import sys
from typing import TYPE_CHECKING, Any

from qsim.collecting import no_collection
from qsim.errors import InputError, ModelError, QsimError, UsageError
from qsim.quantizer.config import QuantizeConfig
from qsim.quantizer.quantized import Quantized, check_batch
from qsim.registry import entry_points
from qsim.target import Target
from qsim.torch_threads import one_torch_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import torch
    from torch.export import ExportedProgram
    from torch.fx import GraphModule

    from qsim.graph import Arguments, Batch
    from qsim.quantizer.annotate import TargetQuantizer
    from qsim.quantizer.double import Double


def quantize(
    model: torch.nn.Module | ExportedProgram,
    example_inputs: Batch,
    target: Target,
    calibration: Iterable[Batch] | None = None,
    config: QuantizeConfig | Mapping[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
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
            judge its accuracy.
        config: overrides, as ``QuantizeConfig`` or the dictionary of its TOML form.
        progress: called after each calibration batch with the number of batches done.

    Returns:
        The Q/DQ graph. The result depends on the arguments only: same arguments, same bits, on
        any processor. To this end calibration runs in float64 and scales lie on a grid.

    Raises:
        UsageError: an argument of the wrong type, or a config that matches nothing or asks for more
            than the target has; an extension that cannot be loaded.
        ModelError: the model cannot be exported or holds NaN.
        InputError: calibration data of the wrong shape, or that leads to NaN or infinity.
    """
    from qsim.graph import capture, check_inputs, quiet

    with quiet():  # torchao tells of what it cannot load
        from qsim.quantizer.prequantized import holds_codes, in_float, spelled
    Target.require(target)
    entry_points.load()
    arguments = check_inputs(model, example_inputs)
    checked = _config(config)
    checked.check(target)
    with spelled(model) as found:
        captured = capture(model, arguments)
    if found.modules or holds_codes(captured.program.graph):
        if checked != QuantizeConfig():
            raise UsageError(
                "the model is quantized already, and its codes are taken as they are",
                where="config",
                accepted="no configuration",
            )
        with quiet(), one_torch_thread():
            graph, float_graph = _taken(captured.program, target, per_token=found.per_token)
        return Quantized(
            graph,
            float_graph,
            target,
            captured.batch,
            arguments.tensors,
            why=in_float(graph),
            fixed=captured.fixed,
            prequantized=True,
        )
    with quiet(), one_torch_thread():
        graph, float_graph, quantizer = _convert(
            captured.program, target, checked, arguments, calibration, progress
        )
    why = quantizer.host
    return Quantized(
        graph,
        float_graph,
        target,
        captured.batch,
        arguments.tensors,
        frozenset(why),
        why,
        quantizer.raised,
        fixed=captured.fixed,
    )


def _config(config: QuantizeConfig | Mapping[str, Any] | None) -> QuantizeConfig:
    if config is None:
        return QuantizeConfig()
    if isinstance(config, QuantizeConfig):
        return config
    return QuantizeConfig.from_dict(config)


def _convert(
    program: Any,
    target: Target,
    config: QuantizeConfig,
    arguments: Arguments,
    calibration: Iterable[Batch] | None,
    progress: Callable[[int], None] | None,
) -> tuple[GraphModule, GraphModule, TargetQuantizer]:
    from qsim.quantizer import pt2e
    from qsim.quantizer.annotate import TargetQuantizer
    from qsim.quantizer.functionalizing import simple_graph
    from qsim.quantizer.host_operators import require_host_operators
    from qsim.quantizer.passes import drop_unused, show_states
    from qsim.quantizer.per_token import per_token
    from qsim.quantizer.results import in_order, require_outputs
    from qsim.quantizer.tensors import require_tensors

    with no_collection():
        simple = simple_graph(program, target)
        require_tensors(simple)
        require_host_operators(simple, ())
        require_outputs(simple)
        float_graph = copy.deepcopy(simple)
        show_states(simple)
    try:
        quantizer = TargetQuantizer(target, config)
        with no_collection():
            prepared = pt2e.prepare(simple, quantizer)
        require_host_operators(float_graph, quantizer.host)
        # Scales of run time need no data; weights are observed in any run.
        data = calibration if quantizer.calibrates else None
        _calibrate(prepared, arguments, data, progress)
        with no_collection():
            quantizer.settle()
            converted = in_order(drop_unused(pt2e.convert(prepared)))
            if target.dynamic is not None and target.dynamic.granularity == "token":
                converted = per_token(converted)
            return converted, in_order(drop_unused(float_graph)), quantizer
    except QsimError:
        raise
    except Exception as error:
        raise ModelError(**_unconvertible(error)) from error
    finally:
        _forget_graphs()


def _taken(
    program: ExportedProgram, target: Target, *, per_token: bool
) -> tuple[GraphModule, GraphModule]:
    """Return the Q/DQ graph of a program that holds codes already, and its float graph."""
    from qsim.quantizer.functionalizing import simple_graph
    from qsim.quantizer.host_operators import require_host_operators
    from qsim.quantizer.passes import drop_unused
    from qsim.quantizer.per_token import per_token as in_rows
    from qsim.quantizer.prequantized import without_codes
    from qsim.quantizer.results import in_order, require_outputs
    from qsim.quantizer.tensors import require_tensors

    with no_collection():
        graph = simple_graph(program, target)
        float_graph = without_codes(copy.deepcopy(graph))
        require_tensors(float_graph)
        require_host_operators(float_graph, ())
        require_outputs(float_graph)
        if per_token:
            graph = in_rows(graph)
        return in_order(drop_unused(graph)), in_order(drop_unused(float_graph))


def _forget_graphs() -> None:
    """Empty torch's and torchao's caches of graphs: they keep every weight that was observed."""
    for module, name in (
        ("torch.ao.quantization.fx.utils", "assert_and_get_unique_device"),
        ("torchao.utils", "_assert_and_get_unique_device"),
    ):
        clear = getattr(getattr(sys.modules.get(module), name, None), "cache_clear", None)
        if clear is not None:
            clear()


def _calibrate(
    prepared: GraphModule,
    arguments: Arguments,
    calibration: Iterable[Batch] | None,
    progress: Callable[[int], None] | None,
) -> None:
    import torch

    from qsim.quantizer.double import Double, float64_by_default

    examples = arguments.tensors
    if isinstance(calibration, torch.Tensor):
        raise UsageError("is one tensor", where="calibration", accepted="an iterable of batches")
    symbolic = _is_symbolic(prepared)
    double = Double(prepared)
    done = 0
    for batch in _batches(arguments, calibration):
        check_batch(batch, examples, batch=symbolic)
        try:
            with torch.no_grad(), float64_by_default():
                double.run(*batch)
        except QsimError as error:
            error.where = _running(double) or error.where
            raise
        except Exception as error:
            raise ModelError(**_unconvertible(error), where=_running(double)) from error
        done += 1
        if progress is not None:
            progress(done)
    if not done:
        raise InputError("has no batches", where="calibration", accepted="1 batch or more")


def _running(double: Double) -> str:
    """Return the layer and the line at which the calibration is."""
    from qsim.graph import place

    return "" if double.running is None else place(double.running)


def _unconvertible(error: Exception) -> dict[str, str]:
    lines = str(error).splitlines() or [""]
    return {
        "message": f"cannot be quantized: {type(error).__name__}: {lines[0][:200]}",
        "accepted": "a model that PT2E can convert",
    }


def _batches(
    arguments: Arguments, calibration: Iterable[Batch] | None
) -> Iterable[tuple[torch.Tensor, ...]]:
    if calibration is None:
        yield arguments.tensors
        return
    for number, values in enumerate(calibration):
        yield arguments.flat(values, f"calibration[{number}]")


def _is_symbolic(graph: GraphModule) -> bool:
    inputs = [n.meta["val"] for n in graph.graph.nodes if n.op == "placeholder"]
    return all(v.dim() and not isinstance(v.shape[0], int) for v in inputs)
