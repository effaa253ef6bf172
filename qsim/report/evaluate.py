"""What a network costs in accuracy on a target: float, Q/DQ and hardware side by side.

The three graphs name their values alike. A layer is a group of calls ``<anchor>.<primitive>``; the
tensor of its last call has the name of the fx node whose value the Q/DQ graph quantizes and of the
node of the float graph. All statistics accumulate batch by batch in float64 and exact integers, so
they do not depend on the batch size beyond the order of float64 sums, unless the network's values
do (``Program.mixing``).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from qsim.network import computes
from qsim.report.classes import Vote, classifies, winners_of
from qsim.report.host_work import HostWork
from qsim.report.noise import against_float
from qsim.report.outputs import Outputs
from qsim.report.placement import Share
from qsim.report.result import AccumulatorUse, Evaluation, Layer
from qsim.report.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from hw_models import Register
    from qsim.network import Lowered, Trace
    from qsim.program import Call, Program, TensorSpec
    from qsim.quantizer import Quantized

# What stands in front of a product whose operand is quantized at run time.
_AHEAD: Final = frozenset({"min_max", "choose_scale", "choose_zero_point", "quantize"})

Array: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = tuple[Array, ...]


@dataclass(frozen=True)
class Batch:
    """One batch of samples.

    Attributes:
        hardware: what the lowered network takes: float arrays, or codes where it has integer I/O.
        reference: the same samples as float arrays, for the float and the Q/DQ graph.
        labels: one integer per sample, or None.
    """

    hardware: Arrays
    reference: Arrays
    labels: Array | None = None

    @property
    def size(self) -> int:
        """How many samples the batch holds."""
        return int(self.hardware[0].shape[0])


def outputs_digest(outputs: Iterable[Array]) -> str:
    """Return the SHA-256 of arrays: each as ``dtype shape`` on an ASCII line, then its bytes.

    dtype is NumPy's little-endian name (``<f4``, ``|i1``), shape is comma separated, the bytes
    are in C order. Float arrays are hashed by their bits.
    """
    digest = hashlib.sha256()
    for array in outputs:
        plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{plain.dtype.str} {','.join(map(str, array.shape))}\n".encode("ascii"))
        digest.update(plain.tobytes())
    return digest.hexdigest()


def group_layers(programs: Sequence[Program]) -> tuple[list[Layer], list[Layer]]:
    """Return one empty Layer per group of calls, and the Layer of every call, in order.

    Args:
        programs: in the order in which they run.
    """
    layers: list[Layer] = []
    owners: list[Layer] = []
    for program in programs:
        groups: dict[str, list[Call]] = {}
        for call in program.calls:
            groups.setdefault(call.name.rsplit(".", 1)[0], []).append(call)
        own = {
            anchor: _layer(anchor, calls, program.tensors[calls[-1].output])
            for anchor, calls in groups.items()
        }
        layers += own.values()
        owners += [own[call.name.rsplit(".", 1)[0]] for call in program.calls]
    names = [layer.name for layer in layers]
    for layer in layers:
        if names.count(layer.name) > 1:
            layer.name = f"{layer.name}:{layer.anchor}"
    return layers, owners


def _mixing(lowered: Lowered) -> list[str]:
    """Return what a reader must know of layers whose scales are those of a whole batch."""
    layers = [layer for program in lowered.programs for layer in program.mixing]
    if not layers:
        return []
    more = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
    text = f"{layers[0]}{more}: scales are chosen at run time for a whole batch, so what comes out "
    return [f"{text}of a sample depends on those beside it; the figures are of batches as run here"]


def _layer(anchor: str, calls: Sequence[Call], output: TensorSpec) -> Layer:
    return Layer(
        name=calls[0].layer or anchor,
        anchor=anchor,
        primitive=next(
            (call.primitive for call in calls if call.primitive not in _AHEAD), calls[0].primitive
        ),
        node=output.name,
        tensor=output.name,
        shape=tuple(output.shape[1:]),
        real=output.format.dtype.kind == "f",
        accumulators=[
            AccumulatorUse(call.name, register["bits"], register["overflow"], watched=False)
            for call in calls
            for register in _declared(call.attributes)
        ],
    )


def _declared(value: Any) -> Iterator[dict[str, Any]]:
    """Give every accumulator that a call's attributes describe, at whatever depth."""
    if isinstance(value, Mapping):
        if {"bits", "overflow"} <= set(value):
            yield dict(value)
        else:
            for item in value.values():
                yield from _declared(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _declared(item)


def join(parts: Sequence[Array]) -> Array:
    """Return one output over all batches; flat where its batches do not stack along axis 0."""
    if parts[0].ndim and len({part.shape[1:] for part in parts}) == 1:
        return np.concatenate(parts)
    return np.concatenate([part.ravel() for part in parts])


class Evaluator:
    """Runs batches through the hardware model and, if there are any, its two references.

    Args:
        lowered: the network on the target.
        quantized: its Q/DQ and float graphs; None where only a ``.qsim`` file is at hand.
        on_trace: called with each batch's trace and the number of samples before it.
    """

    def __init__(
        self,
        lowered: Lowered,
        quantized: Quantized | None = None,
        on_trace: Callable[[Trace, int], None] | None = None,
    ) -> None:
        self.lowered = lowered
        self.qdq_graph = getattr(quantized, "graph", None)
        self.float_graph = getattr(quantized, "float_graph", None)
        self._raised = getattr(quantized, "raised", ())
        begun = [state.initial.numpy() for state in getattr(quantized, "states", ())]
        self._kept = len(begun)
        self._held = {"qdq": begun, "float": begun}
        # Of a network with states the batches are steps of one run.
        self._runner = lowered.session() if lowered.states else lowered
        self.layers, self._owners = group_layers(lowered.programs_in_order())
        self.samples = 0
        self.timing = Timing()
        self._on_trace = on_trace
        self._scales: dict[str, tuple[float, int]] = {}
        self._outputs: list[list[Array]] = []
        self._votes = {"float": Vote(), "qdq": Vote(), "hardware": Vote()}
        self._values = Outputs(lowered)
        self._host, self._per_sample = HostWork(), 1
        self._classifies = False

    def add(self, batch: Batch) -> None:
        """Run one batch through every graph and add it to the statistics."""
        # What one sample costs is known after the first.
        counted = self.samples == 0 and bool(self.lowered.host_operators)
        with self.timing.measure():
            count = self._host.count if counted else None
            trace = self._runner.trace(*batch.hardware, host=count)
        if counted:
            self._per_sample = batch.size
        outputs = as_arrays(trace.outputs)
        self._add_ledger(trace, batch.size)
        qdq = self._compare_qdq(trace, batch.reference)
        real = self._compare_float(trace, batch.reference)
        winners = winners_of(real)
        for name, result in (("float", real), ("qdq", qdq), ("hardware", outputs)):
            self._votes[name].add(result, batch.labels, winners)
        self._values.add(outputs, qdq, real)
        if self.samples == 0 and real and self.float_graph is not None:
            self._classifies = classifies(self.float_graph, real[0], batch.reference)
        self._outputs.append(list(outputs))
        if self._on_trace is not None:
            self._on_trace(trace, self.samples)
        self.samples += batch.size

    def count(self, trace: Trace, size: int) -> None:
        """Add what a trace's accumulators did to ``layers``, without running any graph.

        Args:
            trace: of ``lowered``, on the next samples.
            size: how many.
        """
        self._add_ledger(trace, size)
        self.samples += size

    def result(self) -> Evaluation:
        """Return what all batches together gave."""
        joined = [join(parts) for parts in zip(*self._outputs, strict=True)]
        target = self.lowered.target
        accuracy = {name: vote.accuracy for name, vote in self._votes.items()}
        agreement = {name: self._votes[name].agreement for name in ("qdq", "hardware")}
        labelled = any(value is not None for value in accuracy.values())
        if not labelled and not self._classifies:
            agreement = dict.fromkeys(agreement)
        if not self.layers:
            # All of it ran in torch: there is no hardware whose score this could be.
            accuracy["hardware"] = agreement["hardware"] = None
        return Evaluation(
            model=self.lowered.model,
            target={"name": target.name, "hash": target.hash},
            samples=self.samples,
            accuracy=accuracy,
            agreement=agreement,
            host_operators=self._host_operators(),
            outputs_sha256=outputs_digest(joined),
            seconds=self.timing.seconds,
            compiling_seconds=self.timing.compiling_seconds,
            layers=self.layers,
            classification=labelled or self._classifies,
            outputs=self._values.uses,
            macs=Share(
                sum(layer.macs for layer in self.layers), self._host.total // self._per_sample
            ),
            network_sha256=self.lowered.digest,
            raised=[dataclasses.asdict(item) for item in self._raised],
            warnings=[*self.lowered.warnings, *_mixing(self.lowered)],
            contract=target,
        )

    def _host_operators(self) -> list[dict[str, Any]]:
        """Return what stayed in torch, with its multiply-accumulates of one sample."""
        operators = [dict(item) for item in self.lowered.host_operators]
        counted = [
            step.name
            for step in self.lowered.steps
            if step.kind == "torch" and computes(str(step.attributes["operator"]))
        ]
        if len(counted) != len(operators):
            return operators  # a file may record fewer than there are
        macs = self._host.macs
        return [
            item | {"macs": macs[name] // self._per_sample if name in macs else None}
            for item, name in zip(operators, counted, strict=True)
        ]

    def _add_ledger(self, trace: Trace, size: int) -> None:
        fresh = self.samples == 0
        # The ledger has one entry per call, in the order in which the owners were listed.
        for layer, entry in zip(self._owners, trace.ledger, strict=True):
            ledger = entry.ledger
            layer.clamped += ledger.clamped
            if fresh:
                layer.macs += entry.macs * trace.batch // size
                if entry.primitive not in _AHEAD or not layer.real:
                    layer.path = layer.path or ledger.kernel
                    layer.reason = layer.reason or ledger.reason
                if entry.spec.name == layer.node:
                    layer.tensor = entry.tensor
                    if entry.spec.scale is not None:
                        self._scales[layer.node] = (entry.spec.scale, entry.spec.zero_point)
                    elif layer.real:
                        self._scales[layer.node] = (1.0, 0)
            for register in ledger.registers:
                self._add_register(layer, entry.call, register)
        for layer in self.layers:
            layer.elements += trace.tensors[layer.tensor].size

    def _add_register(self, layer: Layer, call: str, register: Register) -> None:
        known = (
            use for use in layer.accumulators if (use.call, use.register) == (call, register.name)
        )
        use = next(known, None)
        if use is None:
            use = AccumulatorUse(call, register.bits, register.overflow, register=register.name)
            layer.accumulators.append(use)
        use.watched = True
        use.bits_used = max(use.bits_used, register.bits_used)
        if use.first is None and register.first is not None:
            use.first = (self.samples + register.first[0], *register.first[1:])
        use.overflows += register.overflows

    def _compare_qdq(self, trace: Trace, inputs: Arrays) -> Arrays | None:
        if self.qdq_graph is None:
            return None

        def compare(layer: Layer) -> Callable[[Array], None]:
            def visit(codes: Array) -> None:
                difference = trace.tensors[layer.tensor].astype(np.int64) - codes.astype(np.int64)
                layer.has_qdq = True
                layer.lsb_max = max(layer.lsb_max, int(np.abs(difference).max(initial=0)))
                layer.lsb_differing += int(np.count_nonzero(difference))

            return visit

        watch = {layer.node: compare(layer) for layer in self.layers if not layer.real}
        return self._stepped("qdq", self.qdq_graph, inputs, watch)

    def _compare_float(self, trace: Trace, inputs: Arrays) -> Arrays | None:
        if self.float_graph is None:
            return None

        watch = {
            layer.node: against_float(layer, trace, self._scales)
            for layer in self.layers
            if layer.node in self._scales
        }
        return self._stepped("float", self.float_graph, inputs, watch)

    def _stepped(
        self,
        name: str,
        graph: torch.fx.GraphModule,
        inputs: Arrays,
        watch: Mapping[str, Callable[[Array], None]],
    ) -> Arrays:
        """Interpret a graph, whose last inputs and outputs are its states."""
        made = interpret(graph, (*inputs, *self._held[name]), watch, codes=name == "qdq")
        count = len(made) - self._kept
        self._held[name] = list(made[count:])
        return made[:count]


def interpret(
    graph: torch.fx.GraphModule,
    inputs: Arrays,
    watch: Mapping[str, Callable[[Array], None]],
    *,
    codes: bool,
) -> Arrays:
    """Run a graph node by node and show each watched value as soon as it exists.

    Args:
        graph: a float or Q/DQ graph.
        inputs: one array per input.
        watch: by node name, called once with the node's value, or, with ``codes``, with the
            output of the first static ``quantize_per_tensor`` that takes it.
        codes: whether to watch the quantized values.

    Returns:
        The outputs, flattened.
    """
    import torch

    seen: set[str] = set()

    class Recorder(torch.fx.Interpreter):
        def run_node(self, node: torch.fx.Node) -> Any:
            value = super().run_node(node)
            name = _quantized_name(node) if codes else node.name
            if name in watch and name not in seen and isinstance(value, torch.Tensor):
                seen.add(name)
                # At once: a following in-place operator would overwrite the value.
                watch[name](value.detach().numpy())
            return value

    with torch.no_grad():
        # Copies: a graph may write to its inputs.
        tensors = [torch.from_numpy(np.array(array)) for array in inputs]
        return as_arrays(Recorder(graph).run(*tensors))


def _quantized_name(node: torch.fx.Node) -> str:
    name = getattr(node.target, "__name__", "")
    if node.op != "call_function" or name != "quantize_per_tensor.default":
        return ""
    source = node.args[0]
    return str(getattr(source, "name", ""))


def as_arrays(value: object) -> Arrays:
    """Flatten a model's return value into NumPy arrays."""
    if isinstance(value, np.ndarray):
        return (value,)
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, Sequence):
        return tuple(array for item in value for array in as_arrays(item))
    detach: Any = getattr(value, "detach", None)
    return (detach().numpy(),) if detach is not None else ()
