"""A captured model that holds codes already, as ``qsim.quantize`` returns it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from qsim.collecting import no_collection
from qsim.errors import UsageError
from qsim.quantizer.config import QuantizeConfig
from qsim.quantizer.prequantized.graphs import in_float, with_constant_codes, without_codes
from qsim.quantizer.quantized import Quantized
from qsim.quantizer.skeleton import Skeleton, skeleton_of

if TYPE_CHECKING:
    import torch

    from qsim.graph import Captured
    from qsim.target import Target


def require_no_config(config: QuantizeConfig) -> None:
    """Refuse to configure what is taken as it is.

    Raises:
        UsageError: there is a configuration.
    """
    if config != QuantizeConfig():
        raise UsageError(
            "the model is quantized already, and its codes are taken as they are",
            where="config",
            accepted="no configuration",
        )


def take(
    captured: Captured,
    examples: tuple[torch.Tensor, ...],
    target: Target,
    *,
    per_token: bool,
    first: Skeleton | None = None,
) -> tuple[Quantized, Skeleton]:
    """Take a captured model's codes, scales and zero points.

    Args:
        captured: holds codes.
        examples: what it was captured with.
        target: the contract.
        per_token: operands that are quantized at run time have a scale for each row.
        first: of the same model at another length.

    Returns:
        The network, and what graphs of other lengths must have too.

    Raises:
        ModelError: what the passes refuse; with ``first``, where the graph is not the same.
    """
    from qsim.quantizer.functionalizing import simple_graph
    from qsim.quantizer.host_operators import require_host_operators
    from qsim.quantizer.passes import drop_unused
    from qsim.quantizer.per_token import per_token as in_rows
    from qsim.quantizer.results import in_order, require_outputs
    from qsim.quantizer.tensors import require_tensors

    with no_collection():
        graph, states = simple_graph(captured.program, target, first)
        skeleton = skeleton_of(with_constant_codes(graph), first)
        float_graph = without_codes(copy.deepcopy(graph))
        require_tensors(float_graph)
        require_host_operators(float_graph, ())
        require_outputs(float_graph)
        graph = in_order(drop_unused(in_rows(graph) if per_token else graph))
        float_graph = in_order(drop_unused(float_graph))
    made = Quantized(
        graph,
        float_graph,
        target,
        captured.batch,
        examples,
        why=in_float(graph),
        fixed=captured.fixed,
        prequantized=True,
        states=states,
    )
    return made, skeleton
