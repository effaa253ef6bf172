"""``QsimPartitioner``: what of a program goes to the target, one delegate per connected region."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from executorch.exir.backend.compile_spec_schema import CompileSpec
from executorch.exir.backend.partitioner import DelegationSpec, Partitioner, PartitionResult

from qsim.errors import ModelError, UsageError
from qsim.executorch import adapter
from qsim.executorch.compiling.backend import QsimBackend
from qsim.executorch.compiling.prepare import prepare
from qsim.executorch.compiling.reader import read_program
from qsim.executorch.compiling.regions import regions, whole_region
from qsim.executorch.compiling.report import Region, Report
from qsim.executorch.compiling.support import supported
from qsim.executorch.compiling.view import constants_of
from qsim.executorch.delegates import specs
from qsim.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch._ops import OpOverload
    from torch.export import ExportedProgram
    from torch.fx import Node

    from qsim.executorch.compiling.support import Support


class QsimPartitioner(Partitioner):  # type: ignore[misc]  # executorch carries no types
    """Tags what a target computes, for ``to_edge_transform_and_lower``.

    Args:
        target: the datapath; it travels in the delegates' compile specs.
        whole: one delegate for the whole graph, or an error that names what does not fit.
        quantized_io: delegates take and return codes only: a quantize of a float input and a
            dequantize of a float output stay outside, where ExecuTorch's ``QuantizeInputs`` and
            ``QuantizeOutputs`` find them. Then ExecuTorch's kernels do these, by its own formula.

    Attributes:
        report: what was delegated, what was not and why; it grows with every program partitioned.

    Raises:
        UsageError: target is not a ``qsim.Target``.
    """

    def __init__(self, target: Target, *, whole: bool = False, quantized_io: bool = False) -> None:
        super().__init__()
        self.target = Target.require(target)
        self.whole = whole
        self.quantized_io = quantized_io
        self.report = Report()
        self._known: dict[str, torch.Tensor] | None = None
        # ExecuTorch asks for the operators of one program several times in a row.
        self._last: tuple[weakref.ref[ExportedProgram], Support] | None = None

    def transform_for_pre_decomposition(self, exported_program: ExportedProgram) -> ExportedProgram:
        """Rewrite the program as delegates want it; see ``qsim.executorch.compiling.prepare``."""
        self._remember(exported_program)
        return prepare(exported_program)

    def ops_to_not_decompose(
        self, ep: ExportedProgram
    ) -> tuple[list[OpOverload], Callable[[Node], bool] | None]:
        """Return the operators that delegates take whole, and which nodes of them if not all."""
        if self._last is None or self._last[0]() is not ep:
            self._remember(ep)
            self._last = (weakref.ref(ep), self._support(ep))
        nodes = self._last[1].nodes
        table = adapter.decomposed_operators()
        wanted: set[Any] = {node.target for node in nodes if node.target in table}
        mixed = any(node.target in wanted and node not in nodes for node in ep.graph.nodes)
        return sorted(wanted, key=str), (nodes.__contains__ if mixed else None)

    def partition(self, exported_program: ExportedProgram) -> PartitionResult:
        """Tag the nodes of every region, constants included.

        Raises:
            ModelError: ``whole`` and something does not fit.
            UsageError: the constants' values are not known: the partitioner was not given to
                ``to_edge_transform_and_lower``, or a pass made new ones.
        """
        support = self._support(exported_program)
        if self.whole:
            self._require_whole(support)
            found = whole_region(exported_program, support)
        else:
            found = regions(exported_program, support.nodes)
        options = [CompileSpec(key, value) for key, value in specs.encode(self.target).items()]
        tags: dict[str, DelegationSpec] = {}
        for nodes in found:
            tag = f"qsim_{len(self.report.regions)}"
            tags[tag] = DelegationSpec(QsimBackend.__name__, options)
            for node in nodes:
                node.meta["delegation_tag"] = tag
            self.report.regions.append(Region(tag, _operators(nodes, support)))
        self.report.host.extend(support.host)
        adapter.tag_constants(exported_program)
        return PartitionResult(tagged_exported_program=exported_program, partition_tags=tags)

    def _remember(self, program: ExportedProgram) -> None:
        """Keep the values of constants: programs to be partitioned come with shapes alone."""
        tensors: dict[str, Any] = {**program.state_dict, **program.constants}
        self._known = {
            **(self._known or {}),
            **{name: value for name, value in tensors.items() if adapter.has_values(value)},
        }

    def _support(self, program: ExportedProgram) -> Support:
        constants = constants_of(program)
        targets = adapter.constant_names(program)
        for placeholder, value in tuple(constants.items()):
            if adapter.has_values(value):
                continue
            known = (self._known or {}).get(targets[placeholder])
            if known is None and self._known is not None and not value.shape:
                # ExecuTorch makes tensors of integers' scalars; no primitive takes these operators.
                del constants[placeholder]
                continue
            if known is None or (known.shape, known.dtype) != (value.shape, value.dtype):
                raise UsageError(
                    f"the values of the constant {targets[placeholder]!r} are not known when the "
                    "graph is partitioned",
                    where="QsimPartitioner",
                    accepted="to_edge_transform_and_lower, without passes that make new constants",
                )
            constants[placeholder] = known
        view = read_program(program, constants)
        return supported(view, self.target, quantized_io=self.quantized_io)

    def _require_whole(self, support: Support) -> None:
        reasons = [
            f"{item.operator} in {item.layer or 'the model'} ({item.reason})"
            for item in support.host
        ]
        if not self.quantized_io:
            reasons += [f"{node.name} (codes of another format)" for node in support.boundary]
        if reasons:
            more = f" and {len(reasons) - 5} more" if len(reasons) > 5 else ""
            raise ModelError(
                f"does not fit into one delegate: {'; '.join(reasons[:5])}{more}",
                where="QsimPartitioner(whole=True)",
                accepted=f"what target {self.target.name} computes",
            )


def _operators(nodes: list[Node], support: Support) -> tuple[str, ...]:
    computing = (node for node in nodes if node not in support.coding)
    names = [str(adapter.plain_operator(node.target)) for node in computing]
    return tuple(name for name in names if not name.startswith("quantized_decomposed."))
