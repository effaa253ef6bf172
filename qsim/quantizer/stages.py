"""The stages of a quantization: prepare a graph, show it data, convert it."""

from __future__ import annotations

import contextlib
import copy
import itertools
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qsim.collecting import no_collection
from qsim.errors import InputError, ModelError, QsimError, UsageError
from qsim.quantizer.quantized import Quantized, check_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import torch
    from torch.fx import GraphModule

    from qsim.graph import Arguments, Batch, Captured
    from qsim.quantizer.annotate import TargetQuantizer
    from qsim.quantizer.config import QuantizeConfig
    from qsim.quantizer.double import Double
    from qsim.quantizer.lengths import Family
    from qsim.quantizer.skeleton import Skeleton
    from qsim.quantizer.states import Buffer
    from qsim.target import Target


@dataclass(frozen=True)
class Prepared:
    """A graph with observers.

    Attributes:
        graph: PT2E's prepared graph.
        float_graph: the same nodes without observers.
        quantizer: what put them there.
        states: the buffers that the model writes into.
        skeleton: what graphs of other lengths must have too.
    """

    graph: GraphModule
    float_graph: GraphModule
    quantizer: TargetQuantizer
    states: tuple[Buffer, ...]
    skeleton: Skeleton


def prepare(
    program: Any, target: Target, config: QuantizeConfig, first: Prepared | None = None
) -> Prepared:
    """Simplify the graph of an exported program and put observers into it.

    Args:
        program: see ``qsim.graph.capture``.
        target: the contract.
        config: overrides.
        first: the same model for another length of its sequences, whose observers this one's are.

    Raises:
        ModelError: what cannot be quantized; with ``first``, where the graph is not the same.
    """
    from qsim.quantizer import pt2e
    from qsim.quantizer.annotate import TargetQuantizer
    from qsim.quantizer.functionalizing import simple_graph
    from qsim.quantizer.host_operators import require_host_operators
    from qsim.quantizer.passes import show_states
    from qsim.quantizer.results import require_outputs
    from qsim.quantizer.skeleton import skeleton_of
    from qsim.quantizer.tensors import require_tensors

    with no_collection():
        known = None if first is None else first.skeleton
        simple, states = simple_graph(program, target, known)
        require_tensors(simple)
        require_host_operators(simple, ())
        require_outputs(simple)
        skeleton = skeleton_of(simple, known)
        float_graph = copy.deepcopy(simple)
        show_states(simple)
    quantizer = TargetQuantizer(target, config, states)
    if first is not None:
        quantizer.join(first.quantizer)
    with convertible(), no_collection():
        prepared = pt2e.prepare(simple, quantizer)
    require_host_operators(float_graph, quantizer.host)
    return Prepared(prepared, float_graph, quantizer, states, skeleton)


def finish(prepared: Prepared) -> tuple[GraphModule, GraphModule]:
    """Convert a graph that has seen its data; return it, and the float graph.

    Raises:
        ModelError: PT2E cannot convert it.
    """
    from qsim.quantizer import pt2e
    from qsim.quantizer.passes import drop_unused
    from qsim.quantizer.per_token import per_token
    from qsim.quantizer.results import in_order

    quantizer = prepared.quantizer
    with convertible(), no_collection():
        quantizer.settle()
        converted = in_order(drop_unused(pt2e.convert(prepared.graph)))
        dynamic = quantizer.target.dynamic
        if dynamic is not None and dynamic.granularity == "token":
            converted = per_token(converted)
        return converted, in_order(drop_unused(prepared.float_graph))


@contextlib.contextmanager
def convertible() -> Iterator[None]:
    """Say in one line what PT2E cannot do, and leave no graph behind in its caches."""
    try:
        yield
    except QsimError:
        raise
    except Exception as error:
        raise ModelError(**_unconvertible(error)) from error
    finally:
        _forget_graphs()


def _forget_graphs() -> None:
    """Empty torch's and torchao's caches of graphs: they keep every weight that was observed."""
    for module, name in (
        ("torch.ao.quantization.fx.utils", "assert_and_get_unique_device"),
        ("torchao.utils", "_assert_and_get_unique_device"),
    ):
        clear = getattr(getattr(sys.modules.get(module), name, None), "cache_clear", None)
        if clear is not None:
            clear()


def calibrate(
    of: Callable[[Sequence[torch.Tensor]], tuple[Double, Sequence[torch.Tensor]]],
    arguments: Arguments,
    calibration: Iterable[Batch] | None,
    progress: Callable[[int], None] | None,
    states: Sequence[Buffer] = (),
) -> None:
    """Show observers the data.

    Args:
        of: returns the graph that takes a batch, and example inputs of it.
        arguments: of the model; what is shown where there is no calibration.
        calibration: batches.
        progress: called with the number of batches done.
        states: of the graphs; the batches are then steps of one run.

    Raises:
        UsageError, InputError: batches that the graph does not take, or none.
        ModelError: it cannot be computed.
    """
    import torch

    from qsim.quantizer.double import float64_by_default

    held = tuple(state.initial for state in states)
    done = 0
    for batch in batches(arguments, calibration):
        double, examples = of(batch)
        check_batch(batch, tuple(examples), batch=_is_symbolic(double, len(batch)))
        try:
            with torch.no_grad(), float64_by_default():
                made = double.run(*batch, *held)
                if states:
                    held = tuple(made[1:])
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


def first_batches(calibration: Iterable[Batch] | None, count: int | None) -> Iterable[Batch] | None:
    """Return the first batches of a calibration; all of them without a count.

    Raises:
        UsageError: one tensor in the place of batches.
    """
    import torch

    if isinstance(calibration, torch.Tensor):
        raise UsageError("is one tensor", where="calibration", accepted="an iterable of batches")
    if calibration is None or count is None:
        return calibration
    return itertools.islice(calibration, count)


def batches(
    arguments: Arguments, calibration: Iterable[Batch] | None
) -> Iterable[tuple[torch.Tensor, ...]]:
    """Give calibration batches by position; the example inputs where there are none."""
    if calibration is None:
        yield arguments.tensors
        return
    for number, values in enumerate(calibration):
        yield arguments.flat(values, f"calibration[{number}]")


def _is_symbolic(double: Double, count: int) -> bool:
    inputs = [n.meta["val"] for n in double.graph.nodes if n.op == "placeholder"][:count]
    return all(v.dim() and not isinstance(v.shape[0], int) for v in inputs)


def quantized_of(
    prepared: Prepared,
    captured: Captured,
    graphs: tuple[GraphModule, GraphModule],
    examples: tuple[torch.Tensor, ...],
    lengths: Family | None = None,
) -> Quantized:
    """Return what ``qsim.quantize`` returns of a converted graph and its float graph."""
    quantizer = prepared.quantizer
    return Quantized(
        *graphs,
        quantizer.target,
        captured.batch,
        examples,
        frozenset(quantizer.host),
        quantizer.host,
        quantizer.raised,
        fixed=captured.fixed,
        lengths=lengths,
        states=prepared.states,
    )
