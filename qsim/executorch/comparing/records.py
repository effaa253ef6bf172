"""What a run of a ``.pte``, an eager graph or a lowered network makes, operator by operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.fx import GraphModule, Interpreter
from torch.utils import _pytree

from qsim.errors import InputError, QsimError
from qsim.executorch.comparing import labels
from qsim.executorch.comparing.record import Record
from qsim.executorch.comparing.trace_records import of_trace
from qsim.executorch.delegates import OURS, watched
from qsim.executorch.pte import DelegateCall, KernelCall, usual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.fx import Node

    from qsim.executorch.interpreter import Run
    from qsim.executorch.loading import Pte
    from qsim.network import Lowered


@dataclass(frozen=True)
class Records:
    """What one side made: operators in their order, and the outputs."""

    made: list[Record]
    outputs: list[Any]


def of_pte(pte: Pte, inputs: Sequence[Any], method: str | None) -> Records:
    """Run a ``.pte``; what its delegates of ours compute is recorded call by call."""
    name = method or usual(pte.methods)
    recorder = _PteRecorder(pte, name)
    with watched(recorder.delegate):
        outputs = pte.watch(inputs, recorder.after, name)
    return Records(recorder.made, outputs)


class _PteRecorder:
    def __init__(self, pte: Pte, method: str) -> None:
        self.method = pte.plans.get(method)
        self.made: list[Record] = []
        # By value, what the operator that made it is for the alignment.
        self._labels: dict[int, str] = {}

    def delegate(self, network: Lowered, inputs: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Run a delegate of ours."""
        trace = network.trace(*inputs)
        self.made += of_trace(network, trace)
        return tuple(torch.from_numpy(array) for array in trace.outputs)

    def after(self, run: Run, place: tuple[int, int], writes: Sequence[int]) -> None:
        """Record what an instruction wrote."""
        assert self.method is not None  # noqa: S101 - there would be no run
        chain, number = place
        call = self.method.chains[chain][number]
        at = f"instruction {number}" if not chain else f"chain {chain} instruction {number}"
        if isinstance(call, DelegateCall):
            backend = self.method.delegates[call.delegate].id
            if backend != OURS:
                self._record(run, at, f"delegate {backend}", "delegate", "value", writes)
        elif isinstance(call, KernelCall):
            operator = self.method.operators[call.operator]
            kind = labels.kind(operator)
            label = labels.label(operator)
            if kind != "value":
                label = self._labels.get(call.args[0], "input")
            self._labels.update(dict.fromkeys(writes, label))
            zero = self.method.values[call.args[2]] if kind == "codes" else None
            self._record(run, at, labels.short(operator), label, kind, writes, zero)

    def _record(
        self,
        run: Run,
        at: str,
        operator: str,
        label: str,
        kind: str,
        writes: Sequence[int],
        zero: Any = None,
    ) -> None:
        values = [run.values[index] for index in dict.fromkeys(writes)]
        tensors = [value for value in values if isinstance(value, torch.Tensor)]
        for number, tensor in enumerate(tensors):
            name = at if len(tensors) == 1 else f"{at} [{number}]"
            self.made.append(Record.of(tensor.clone(), name, operator, label, kind, "", zero))


def of_graph(graph: GraphModule, inputs: Sequence[Any]) -> Records:
    """Run an eager graph.

    Raises:
        InputError: it refuses the inputs.
    """
    recorder = _GraphRecorder(graph)
    tensors = [torch.as_tensor(value) for value in inputs]
    try:
        with torch.no_grad():
            outputs = recorder.run(*tensors)
    except QsimError:
        raise
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        text = " ".join(str(error).split())[:200]
        raise InputError(f"it refuses the inputs: {text}", where="the eager graph") from None
    return Records(recorder.made, _pytree.tree_leaves(outputs))


class _GraphRecorder(Interpreter):
    def __init__(self, graph: GraphModule) -> None:
        super().__init__(graph)
        self.extra_traceback = False  # its text is for the author of a graph, not for its user
        self.made: list[Record] = []
        self._labels: dict[Node, str] = {}

    def run_node(self, n: Node) -> Any:
        """Return what a node makes, after recording it."""
        made = super().run_node(n)
        if n.op == "call_function":
            operator = str(n.target)
            kind = labels.kind(operator)
            source: Any = n.args[0] if n.args else None
            label = labels.label(operator) if kind == "value" else self._labels.get(source, "input")
            self._labels[n] = label
            zero = n.args[2] if kind == "codes" else None
            tensors = [made] if isinstance(made, torch.Tensor) else []
            if isinstance(made, (tuple, list)):
                tensors = [item for item in made if isinstance(item, torch.Tensor)]
            if "getitem" not in operator:
                self.made += [
                    Record.of(tensor, n.name, labels.short(operator), label, kind, "", zero)
                    for tensor in tensors
                ]
        elif n.op == "get_attr":
            self._labels[n] = "constant"
        return made


def of_lowered(network: Lowered, inputs: Sequence[Any]) -> Records:
    """Run a lowered network call by call."""
    trace = network.trace(*inputs)
    return Records(of_trace(network, trace), list(trace.outputs))
