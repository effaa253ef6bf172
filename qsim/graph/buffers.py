"""Which buffers an exported program writes into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsim.graph import nodes

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node


def written_buffers(program: ExportedProgram) -> list[str]:
    """Return the paths of the buffers that an operator writes into, through views too."""
    signature = program.graph_signature
    found = dict.fromkeys(signature.buffers_to_mutate.values())
    for node in program.graph.nodes:
        for written in _written(node):
            source: Any = written
            while source.op == "call_function" and hasattr(next(iter(source.args), None), "op"):
                source = source.args[0]
            if source.name in signature.inputs_to_buffers:
                found[signature.inputs_to_buffers[source.name]] = None
    return list(found)


def _written(node: Node) -> list[Any]:
    schema = nodes.schema(node)
    arguments = () if schema is None else schema.arguments
    given = [
        nodes.argument(node, position, argument.name)
        for position, argument in enumerate(arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    return [each for each in given if hasattr(each, "op")]
