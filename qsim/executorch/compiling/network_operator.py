"""A whole lowered network as one torch operator: what is exported, and delegated as it stands.

No graph of a network with free lengths has symbolic shapes, so none can be partitioned: what of it
depends on the length is functions in the network itself. The operator knows the shapes of results.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import torch

from qsim.errors import ModelError, UsageError
from qsim.executorch.adapter import plain_operator
from qsim.executorch.delegates import container_of
from qsim.network import Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.export import ExportedProgram
    from torch.fx import Node

    from qsim.network import Lowered

_KNOWN: Final[dict[str, Lowered]] = {}


@contextmanager
def known(network: Lowered) -> Iterator[str]:
    """Give the name by which the operator knows a network, while the block lasts."""
    name = f"{network.digest}-{len(_KNOWN)}"
    _KNOWN[name] = network
    try:
        yield name
    finally:
        del _KNOWN[name]


def shapes_of(network: Lowered) -> str:
    """Return, as JSON, where a network finds batch and length, and its results' types and sizes.

    A size is an integer, -1 for the batch, or four integers: see ``qsim.network.lengths.sizes``.
    """
    lengths = network.lengths
    assert lengths is not None  # noqa: S101 - others are not exported like this
    batched = [at for at, spec in enumerate(network.inputs) if spec.shape[:1] == (-1,)]
    results = []
    for at, spec in enumerate(network.outputs):
        sizes: list[Any] = list(spec.shape)
        for axis, *_ in spec.free:
            sizes[axis] = lengths.sizes["outputs", at, axis].to_json()
        results.append([str(container_of(spec)).removeprefix("torch."), sizes])
    return json.dumps([lengths.axes[0], batched[:1], results])


@torch.library.custom_op("qsim::network", mutates_args=())
def network(inputs: list[torch.Tensor], name: str, shapes: str) -> list[torch.Tensor]:  # noqa: ARG001
    """Refuse to run: it is delegated before anything runs it."""
    raise UsageError(
        f"network {name} runs as a delegate alone", where="qsim::network", accepted=shapes
    )


@network.register_fake
def _(inputs: list[torch.Tensor], name: str, shapes: str) -> list[torch.Tensor]:  # noqa: ARG001
    (index, axis), batched, results = json.loads(shapes)
    length: Any = inputs[index].shape[axis]
    batch = inputs[batched[0]].shape[0] if batched else 1

    def size(value: Any) -> Any:
        if isinstance(value, list):
            return Size.from_json(value).at(length)
        return batch if value == -1 else value

    return [
        inputs[0].new_empty([size(each) for each in sizes], dtype=getattr(torch, dtype))
        for dtype, sizes in results
    ]


OPERATOR: Final[Any] = torch.ops.qsim.network.default


def network_of(program: ExportedProgram) -> Lowered | None:
    """Return the network that a region is, its ends in the region's order; None for any other."""
    nodes = [node for node in program.graph.nodes if plain_operator(node.target) is OPERATOR]
    if not nodes:
        return None
    (node,) = nodes
    found = _KNOWN[node.args[1]]
    given = [each for each in program.graph.nodes if each.op == "placeholder"]
    returned = [each.args[1] for each in program.graph.output_node().args[0]]
    if given != list(node.args[0]) or returned != list(range(len(found.outputs))):
        raise ModelError("ExecuTorch gives its ends in another order", where=node.name)
    return found


def parts(node: Node) -> list[Node]:
    """Return the operator's node and those that pick its results."""
    return [node, *node.users]
