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
    named = signature.inputs_to_buffers
    found = [named[name] for name in _targets(program) if name in named]
    return list(dict.fromkeys((*signature.buffers_to_mutate.values(), *found)))


def written_constants(program: ExportedProgram) -> list[str]:
    """Return the names of tensors that are written into, and that torch took for constants.

    It does so with a buffer that the model reaches by another way than its name, as transformers'
    caches are; tracing Python's bytecode (``strict=True``) it finds the buffer.
    """
    named = program.graph_signature.inputs_to_lifted_tensor_constants
    return [named[name] for name in _targets(program) if name in named]


def _targets(program: ExportedProgram) -> list[str]:
    """Return the placeholders of what is written into."""
    found = []
    for node in program.graph.nodes:
        for written in _written(node):
            source: Any = written
            while _hands_on(source):
                source = source.args[0]
            found.append(source.name)
    return found


def _hands_on(node: Node) -> bool:
    """Return whether an operator gives its first operand's memory: a view, a write in place."""
    schema = nodes.schema(node)
    shared = schema is not None and any(each.alias_info is not None for each in schema.returns)
    return shared and hasattr(next(iter(node.args), None), "op")


def _written(node: Node) -> list[Any]:
    schema = nodes.schema(node)
    arguments = () if schema is None else schema.arguments
    given = [
        nodes.argument(node, position, argument.name)
        for position, argument in enumerate(arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    return [each for each in given if hasattr(each, "op")]
