"""A delegate's program, lowered: from an exported program to a network without host operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from qsim.errors import ModelError
from qsim.executorch.compiling.reader import read_program
from qsim.executorch.compiling.view import constants_of
from qsim.lowering import Assembler, arrange, is_quantize
from qsim.network import integer_boundary

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

    from qsim.executorch.compiling.view import View
    from qsim.network import Lowered
    from qsim.target import Target


def lower_program(program: ExportedProgram, target: Target) -> Lowered:
    """Lower a program that a delegate is to run.

    Args:
        program: of the edge dialect; it takes float tensors or codes and returns either.
        target: the datapath.

    Returns:
        A network whose inputs and outputs are the program's tensors, in their order; sizes among
        the program's inputs have no counterpart.

    Raises:
        ModelError: an operator that the target does not compute.
    """
    view = read_program(program, constants_of(program))
    codes_out = _decode_outputs(view)
    matcher = view.match(target)
    with torch.no_grad():
        network = Assembler(arrange(matcher), target, _examples(view)).run()
    for item in network.host_operators:
        raise ModelError(
            f"{item.operator} cannot go into a delegate: {item.reason}",
            where=item.layer or "the model",
            accepted=f"what target {target.name} computes",
        )
    return integer_boundary(network, view.codes, codes_out)


def _examples(view: View) -> tuple[torch.Tensor, ...]:
    """Return an empty tensor of each input's dtype; codes stand behind a quantize, so are float."""
    inputs = [node for node in view.graph.graph.nodes if node.op == "placeholder"]
    dtypes = [node.meta["val"].dtype for node in inputs]
    return tuple(
        torch.empty(0, dtype=torch.float32 if at in view.codes else dtype)
        for at, dtype in enumerate(dtypes)
    )


def _decode_outputs(view: View) -> list[int]:
    """Put a dequantize behind every output of codes; return the positions of these outputs."""
    graph = view.graph.graph
    output = graph.output_node()
    returned: Any = output.args[0]
    coded = [at for at, node in enumerate(returned) if is_quantize(node)]
    with graph.inserting_before(output):
        values = [_decoded(view, node) if at in coded else node for at, node in enumerate(returned)]
    output.args = (tuple(values),)
    return coded


def _decoded(view: View, quantize: Node) -> Node:
    target = torch.ops.quantized_decomposed.dequantize_per_tensor.default
    made = view.graph.graph.call_function(target, (quantize, *quantize.args[1:6]))
    made.meta = {"val": quantize.args[0].meta.get("val")}  # type: ignore[union-attr]
    if quantize in view.shapes.found:
        view.shapes.found[made] = view.shapes.found[quantize]
    return made
