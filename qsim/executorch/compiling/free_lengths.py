"""A network whose sequences have any length within bounds, as an edge program of one delegate."""

from __future__ import annotations

import copy
import operator
from typing import TYPE_CHECKING, Any

import torch
from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
from executorch.exir.backend.compile_spec_schema import CompileSpec
from executorch.exir.backend.partitioner import DelegationSpec, Partitioner, PartitionResult
from torch.fx import GraphModule, map_arg

from qsim.errors import ModelError, UsageError
from qsim.executorch import adapter
from qsim.executorch.compiling.backend import QsimBackend
from qsim.executorch.compiling.exporting import check_sizes, rebatched
from qsim.executorch.compiling.network_operator import OPERATOR, known, parts, shapes_of
from qsim.executorch.compiling.report import Region, Report
from qsim.executorch.delegates import specs
from qsim.graph import is_parameter
from qsim.lowering import lower, operator_name
from qsim.network import stateless

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from qsim.network import Lowered
    from qsim.quantizer import Quantized
    from qsim.target import Target


def edge_of_lengths(
    quantized: Quantized, batch: int | None, max_batch: int | None, quantized_io: bool
) -> tuple[Any, Report]:
    """Return the edge program manager of a network with lengths, and the report.

    Arguments are those of ``to_edge``.

    Raises:
        UsageError: as ``to_edge``; codes at the ends.
        ModelError: an operator stays on the host: in float, each length has a graph of its own.
    """
    if quantized_io:
        raise UsageError(
            "a network of free lengths takes and returns what the model does",
            where="to_edge(quantized_io=True)",
            accepted="one length: quantized.at(LENGTH)",
        )
    check_sizes(quantized, batch, max_batch)
    network = _one_delegate(quantized)
    partitioner = _Whole(quantized)
    with known(network) as name:
        graph = _called(quantized, name, shapes_of(network))
        examples, shapes = _open(quantized, batch, max_batch)
        with torch.no_grad():
            program = torch.export.export(graph, examples, dynamic_shapes=shapes, strict=False)
        # Its check of dtypes asks for the first tensor's length where results are a list, and so
        # fixes the batch; this program is one operator, whose types are the network's.
        config = EdgeCompileConfig(_check_ir_validity=False)
        manager = to_edge_transform_and_lower(
            program, partitioner=[partitioner], compile_config=config
        )
    return manager, partitioner.report


class _Whole(Partitioner):  # type: ignore[misc]  # executorch carries no types
    """Tags the operator that is the whole network."""

    def __init__(self, quantized: Quantized) -> None:
        super().__init__()
        self.target: Target = quantized.target
        names = [
            operator_name(node)
            for node in quantized.graph.graph.nodes
            if node.op == "call_function"
        ]
        self.operators = tuple(n for n in names if n.startswith("aten.") and "sym_size" not in n)
        self.report = Report()

    def partition(self, exported_program: ExportedProgram) -> PartitionResult:
        """Return one partition."""
        options = [CompileSpec(key, value) for key, value in specs.encode(self.target).items()]
        (call,) = (
            node
            for node in exported_program.graph.nodes
            if adapter.plain_operator(node.target) is OPERATOR
        )
        for node in parts(call):
            node.meta["delegation_tag"] = "qsim_0"
        self.report.regions.append(Region("qsim_0", self.operators))
        return PartitionResult(
            tagged_exported_program=exported_program,
            partition_tags={"qsim_0": DelegationSpec(QsimBackend.__name__, options)},
        )


def _one_delegate(quantized: Quantized) -> Lowered:
    network = stateless(lower(quantized))
    host = [step.name for step in network.steps if step.kind == "torch"]
    if host:
        found = network.host_operators[:3]
        shown = "; ".join(f"{item.operator} ({item.reason})" for item in found)
        raise ModelError(
            f"with free lengths a .pte is one delegate, and {len(host)} steps stay outside of it: "
            f"{shown or ', '.join(host[:3])}",
            where=next((item.layer for item in found if item.layer), "to_edge"),
            accepted="a target on which nothing stays in torch, or one length: "
            "quantized.at(LENGTH)",
        )
    return network


def _called(quantized: Quantized, name: str, shapes: str) -> GraphModule:
    """Return the network's graph with the operator in the place of all that it computes."""
    copied = GraphModule(quantized.graph, copy.deepcopy(quantized.graph.graph))
    graph = quantized.with_buffers(copied).graph
    output = graph.output_node()
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    writes = [
        node
        for node in graph.nodes
        if node.target is torch.ops.aten.copy_.default and is_parameter(node.args[0])
    ]
    states = [node.args[0] for node in writes]
    made = iter(range(1 << 20))
    with graph.inserting_before(writes[0] if writes else output):
        call = graph.call_function(OPERATOR, ([*inputs, *states], name, shapes))
        output.args = map_arg(
            output.args, lambda _: graph.call_function(operator.getitem, (call, next(made)))
        )
        for write in writes:
            result = graph.call_function(operator.getitem, (call, next(made)))
            write.args = (write.args[0], result)
    graph.eliminate_dead_code()
    held = {node.target: getattr(copied, str(node.target)) for node in states}
    return GraphModule(held, graph)  # without what the network has in itself


def _open(
    quantized: Quantized, batch: int | None, max_batch: int | None
) -> tuple[tuple[torch.Tensor, ...], tuple[dict[int, Any], ...]]:
    """Return example inputs of the greatest length, and which of their sizes are open."""
    assert quantized.lengths is not None  # noqa: S101 - asked before
    bounds = quantized.lengths.bounds
    length = torch.export.Dim("length", min=bounds.least, max=bounds.most)
    opened = max_batch is not None and max_batch > 1
    # A size of its own, which is not 1 either, or torch takes one for the other.
    size = (3 if bounds.most == 2 else 2) if opened else batch or max_batch
    rows = torch.export.Dim("batch", min=1, max=max_batch) if opened else None
    examples, shapes = [], []
    for index, value in enumerate(quantized.lengths.examples(bounds.most)):
        free: dict[int, Any] = {axis: length for at, axis in bounds.axes if at == index}
        if 0 not in free and size is not None:
            value = rebatched(value, size)
            free |= {0: rows} if opened else {}
        examples.append(value)
        shapes.append(free)
    return tuple(examples), tuple(shapes)
