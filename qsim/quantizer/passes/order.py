"""Rewrites of an exported graph that make it a dataflow graph of few, plain operators.

None changes what the graph computes. They run before PT2E, because PT2E

* keeps operators that write in place, whose meaning changes once a quantize stands between;
* folds a batch norm into a convolution even where the convolution has other readers, or where two
  convolutions share one weight, and then computes something else.

The order is fixed: operators without a state first (`functional`), then one spelling of each
(`names`, `spelling`, ...), then what is known before the first sample (`constants`, `batch_norm`).
Passes that are registered from outside the package (`qsim.extend`) stand where they ask to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.errors import ModelError, QsimError
from qsim.quantizer.passes.attention import plain_attention
from qsim.quantizer.passes.batch_norm import fold_batch_norm
from qsim.quantizer.passes.constants import fold_constants
from qsim.quantizer.passes.difference import plain_differences
from qsim.quantizer.passes.factories import plain_factories
from qsim.quantizer.passes.folded import batch_in_front
from qsim.quantizer.passes.functional import functional, refuse_random
from qsim.quantizer.passes.masks import finite_masks
from qsim.quantizer.passes.moves import plain_masks, plain_windows, sliced_parts, stacked
from qsim.quantizer.passes.names import drop_identities, plain_names
from qsim.quantizer.passes.parts import plain_parts
from qsim.quantizer.passes.pools import whole_windows
from qsim.quantizer.passes.products import plain_products
from qsim.quantizer.passes.recurrent import settle_states, unroll_recurrent
from qsim.quantizer.passes.repeated import plain_repeats
from qsim.quantizer.passes.scatter import plain_scatters
from qsim.quantizer.passes.shared import one_for_every_sample
from qsim.quantizer.passes.spelling import (
    drop_whole_slices,
    plain_numbers,
    positional,
    positions_of_max,
)
from qsim.quantizer.passes.written import masked_softmaxes, whole_norms
from qsim.registry import Pass, ordered

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.fx import GraphModule

    from qsim.target import Target


def _builtin(*functions: Callable[[GraphModule], None]) -> tuple[Pass, ...]:
    def build(function: Callable[[GraphModule], None]) -> Pass:
        return Pass(function.__name__, lambda graph, _: function(graph))

    return tuple(map(build, functions))


BUILTIN: Final = (
    *_builtin(
        refuse_random,
        functional,
        plain_names,
        drop_identities,
        positional,
        positions_of_max,
        drop_whole_slices,
        plain_scatters,
        plain_differences,
        whole_windows,
    ),
    Pass(plain_parts.__name__, plain_parts),
    *_builtin(sliced_parts),
    Pass(unroll_recurrent.__name__, unroll_recurrent),
    *_builtin(
        settle_states,
        stacked,
        plain_windows,
        one_for_every_sample,
        plain_factories,
        plain_numbers,
        fold_constants,
    ),
    Pass(plain_repeats.__name__, plain_repeats),
    Pass(whole_norms.__name__, whole_norms),
    *_builtin(
        plain_masks,
        plain_products,
        fold_batch_norm,
        batch_in_front,
    ),
    Pass(plain_attention.__name__, plain_attention),
    Pass(masked_softmaxes.__name__, masked_softmaxes),
    *_builtin(finite_masks),
)


def simplify(graph: GraphModule, target: Target) -> GraphModule:
    """Run every rewrite, in order, on the graph itself.

    Raises:
        SharedWriteError: the model writes into a view that is read later (`functionalizing`).
        ModelError: the model changes a buffer, or draws random numbers; or a registered pass fails
            or leaves a graph that does not run.
        UsageError: a registered pass has no place in the order.
    """
    for item in ordered(BUILTIN):
        if item in BUILTIN:
            item.run(graph, target)
        else:
            _guarded(item, graph, target)
    graph.graph.eliminate_dead_code()
    graph.delete_all_unused_submodules()
    graph.graph.lint()
    graph.recompile()
    return graph


def _guarded(item: Pass, graph: GraphModule, target: Target) -> None:
    """Run a registered pass: whatever goes wrong in it is said with its name."""
    try:
        item.run(graph, target)
        graph.graph.lint()
        _complete(graph)
    except QsimError:
        raise
    except Exception as error:
        lines = str(error).splitlines() or [""]
        raise ModelError(
            f"failed: {type(error).__name__}: {lines[0][:200]}",
            where=f"pass {item.name!r}",
            accepted="a pass that leaves a graph which runs",
        ) from error


def _complete(graph: GraphModule) -> None:
    """Give new nodes the shapes that patterns read."""
    from torch.fx.node import map_arg

    from qsim.graph import attribute, is_parameter

    modes: list[Any] = []
    for node in graph.graph.nodes:
        value = node.meta.get("val")
        mode = getattr(value, "fake_mode", None)
        if mode is not None:
            modes.append(mode)
        if value is not None or node.op not in ("call_function", "get_attr") or not modes:
            continue
        with modes[0]:
            if is_parameter(node):
                node.meta["val"] = modes[0].from_tensor(attribute(graph, node), static_shapes=True)
                continue
            args, kwargs = map_arg((node.args, node.kwargs), lambda source: source.meta["val"])
            node.meta["val"] = node.target(*args, **kwargs)
