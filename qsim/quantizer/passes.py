"""Rewrites of an exported graph that make it a dataflow graph of few, plain operators.

None changes what the graph computes. They run before PT2E, because PT2E

* keeps operators that write in place, whose meaning changes once a quantize stands between;
* folds a batch norm into a convolution even where the convolution has other readers, or where two
  convolutions share one weight, and then computes something else.

The order is fixed: operators without a state first (`pass_functional`), then one spelling of each
(`pass_spelling`), then what is known before the first sample (`pass_constants`, `pass_batch_norm`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsim.quantizer.pass_batch_norm import fold_batch_norm
from qsim.quantizer.pass_constants import fold_constants
from qsim.quantizer.pass_functional import functional, refuse_random
from qsim.quantizer.pass_spelling import (
    drop_whole_slices,
    plain_factories,
    plain_moves,
    positional,
    single_output_pools,
)

if TYPE_CHECKING:
    from torch.fx import GraphModule


def simplify(graph: GraphModule) -> GraphModule:
    """Run every rewrite, in order, on the graph itself.

    Raises:
        ModelError: the model changes a buffer, writes into a view that is read later, or draws
            random numbers.
    """
    refuse_random(graph)
    functional(graph)
    positional(graph)
    single_output_pools(graph)
    drop_whole_slices(graph)
    plain_moves(graph)
    plain_factories(graph)
    fold_constants(graph)
    fold_batch_norm(graph)
    graph.graph.eliminate_dead_code()
    graph.delete_all_unused_submodules()
    graph.graph.lint()
    graph.recompile()
    return graph
