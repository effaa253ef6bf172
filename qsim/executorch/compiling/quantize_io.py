"""Takes quantize and dequantize off the boundary of a Q/DQ graph: integers in, integers out.

What ExecuTorch's ``QuantizeInputs`` and ``QuantizeOutputs`` do to an edge program, done before the
graph is exported, so that every later program knows the integer types from its first trace. An
input may have any number of readers here, and may be an output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.fx import Node, map_arg

from qsim.errors import ModelError
from qsim.executorch.io_params import Codes, codes_of
from qsim.lowering import is_dequantize, is_quantize, operator_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.fx import GraphModule

    from qsim.registry import Reason

_DEQUANTIZE: Any = torch.ops.quantized_decomposed.dequantize_per_tensor.default
_SIZE: Any = torch.ops.aten.sym_size.int


def quantize_io(module: GraphModule, why: Mapping[str, Reason]) -> list[Codes | None]:
    """Change a graph so that it takes and returns codes.

    An input has the parameters of its first quantize. Every quantize with the same ones goes; one
    with others reads a dequantize, so that the target rescales codes; whatever else reads the input
    reads a dequantize too. An output is the codes before its dequantize. Integer inputs and outputs
    stay as they are.

    Args:
        module: the Q/DQ graph of ``qsim.quantize``, changed in place.
        why: why an operator was left in float, by its name: for errors.

    Returns:
        The parameters of the inputs, None for one that was an integer before.

    Raises:
        ModelError: an input that nothing quantizes, or an output that is computed in float.
    """
    inputs = [node for node in module.graph.nodes if node.op == "placeholder"]
    found = [_input(node, why) if _is_float(node) else None for node in inputs]
    output = module.graph.output_node()
    output.args = map_arg(output.args, lambda node: _output(node, why))
    module.graph.eliminate_dead_code()
    module.recompile()
    return found


def _input(node: Node, why: Mapping[str, Reason]) -> Codes:
    # An output that is this input is this input in codes; a size is the same for codes.
    readers = [user for user in node.users if user.op != "output" and user.target is not _SIZE]
    quantizers = [user for user in readers if is_quantize(user)]
    if not quantizers:
        raise ModelError(
            _not_quantized(node, readers, why),
            where=f"input {node.name!r}",
            accepted="inputs that something quantizes",
        )
    codes = codes_of(quantizers[0])
    for reader in readers:
        if reader in quantizers and codes_of(reader) == codes:
            reader.replace_all_uses_with(node)
            node.graph.erase_node(reader)
            continue
        with node.graph.inserting_before(reader):
            value = node.graph.call_function(_DEQUANTIZE, (node, *codes))
        reader.replace_input_with(node, value)
    # What the readers of codes are told until the graph is traced again.
    node.meta["val"] = node.meta["val"].to(codes.dtype)
    return codes


def _output(node: Node, why: Mapping[str, Reason]) -> Node:
    if is_dequantize(node) and isinstance(node.args[0], Node) and node.args[0].op != "get_attr":
        return node.args[0]
    if not _is_float(node):
        return node
    maker = node
    while operator_name(maker) == "<built-in function getitem>":
        maker = maker.all_input_nodes[0]
    raise ModelError(
        f"{_name(maker, why)} makes it in float",
        where=f"output {node.name!r}",
        accepted="outputs that something quantizes",
    )


def _not_quantized(node: Node, readers: list[Node], why: Mapping[str, Reason]) -> str:
    if readers:
        return f"{_name(readers[0], why)} takes it in float"
    if node.users:
        return "nothing quantizes it: it is returned as it came"
    return "nothing quantizes it: no operator reads it"


def _name(node: Node, why: Mapping[str, Reason]) -> str:
    if node.op != "call_function":
        return "a constant of the model"
    reason = why.get(node.name)
    return f"the host operator {operator_name(node)}" + (f" ({reason})" if reason else "")


def _is_float(node: Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.dtype.is_floating_point
