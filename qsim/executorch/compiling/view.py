"""What qsim's patterns and lowering read of an exported program."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.lowering import Matcher, Shapes
from qsim.registry import Reason, entry_points

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

    from qsim.target import Target

# In ``node.meta["custom"]``, which export and decompositions keep: why the quantizer left it.
MARK: Final = "qsim_host"


@dataclass(slots=True)
class View:
    """What the lowering reads of a program.

    Attributes:
        graph: the nodes with plain operators.
        floats: the same without quantize and dequantize.
        origins: the same operators without quantize and dequantize, by name: patterns read shapes
            and constants there.
        shapes: of every tensor.
        source: the program's node behind a node of ``graph``.
        codes: positions, among the inputs of ``graph``, of those that hold codes.
        why: why an operator is to stay in float, by name.
    """

    graph: GraphModule
    floats: GraphModule
    origins: dict[str, Node] = field(default_factory=dict)
    shapes: Shapes = field(default_factory=Shapes)
    source: dict[Node, Node] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)
    why: dict[str, Reason] = field(default_factory=dict)

    def match(self, target: Target) -> Matcher:
        """Return the matcher after its run."""
        entry_points.load()
        skipped = frozenset(self.why)
        matcher = Matcher(target, self.graph, self.shapes, self.origins, skipped, self.why)
        with torch.no_grad():
            matcher.run()
        return matcher


def constants_of(program: ExportedProgram) -> dict[str, torch.Tensor]:
    """Return the tensors of a program that no call changes, by the name of their placeholder."""
    signature = program.graph_signature
    changed = set(signature.buffers_to_mutate.values())
    names = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    tensors: dict[str, Any] = {**program.state_dict, **program.constants}
    return {
        placeholder: tensors[name]
        for placeholder, name in names.items()
        if name not in changed and isinstance(tensors.get(name), torch.Tensor)
    }
