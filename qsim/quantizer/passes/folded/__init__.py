"""A pass over networks that fold dimensions into the batch, and take them out again.

Frames, windows, heads, images that are compared: what has (batch * frames, ...) in a network has
(batch, frames, ...) behind this pass. Each operator between the reshape that folds and the one that
undoes it becomes the operator that computes the same of each sample: one rule for each kind of
operator. Samples stay apart then, as Programs need it.

Rules build the new operators beside the old ones. Where an operator has no rule, what it reads is
folded again; what nobody reads any more is dropped.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final

from qsim.graph import is_elementwise, nodes
from qsim.quantizer.passes.constants import fold_constants
from qsim.quantizer.passes.folded import images, moves, rows
from qsim.quantizer.passes.folded.layout import PLAIN, Apart
from qsim.quantizer.passes.folded.rewriter import Rewriter
from qsim.quantizer.rewriting import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.fx import GraphModule, Node

    Rule = Callable[[Rewriter, Node], Apart | None]

_ALONG: Final = """
softmax _softmax _safe_softmax log_softmax _log_softmax logsumexp slice select index_select roll
flip cumsum cumprod mean sum amax amin argmax argmin prod var std linalg_vector_norm norm any all
"""
_BY_CHANNEL: Final = """
max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d adaptive_max_pool1d
adaptive_max_pool2d adaptive_max_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d
upsample_bicubic2d upsample_trilinear3d
"""
_CONVOLUTIONS: Final = """
conv1d conv2d conv3d convolution conv_transpose1d conv_transpose2d conv_transpose3d
"""
_RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(
        ("reshape", "view", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze"),
        moves.reshape,
    ),
    **dict.fromkeys(
        ("permute", "transpose", "t", "movedim", "moveaxis", "swapaxes", "swapdims"), moves.permute
    ),
    **dict.fromkeys(("linear", "addmm", "mm", "matmul", "bmm"), rows.linear),
    **dict.fromkeys(("layer_norm", "rms_norm", "pixel_shuffle", "pixel_unshuffle"), rows.trailing),
    **dict.fromkeys(_ALONG.split(), rows.along),
    **dict.fromkeys(_BY_CHANNEL.split(), images.pool),
    **dict.fromkeys(_CONVOLUTIONS.split(), images.convolution),
    **dict.fromkeys(("group_norm", "instance_norm", "im2col", "col2im"), images.by_itself),
    "cat": moves.cat,
    "constant_pad_nd": moves.pad,
    "expand": moves.expand,
    "repeat": moves.repeat,
    "embedding": rows.embedding,
    "scaled_dot_product_attention": rows.attention,
}


def batch_in_front(graph: GraphModule) -> None:
    """Keep what is folded into the batch beside it, between where it is folded and unfolded."""
    rewriter = Rewriter(graph, _symbols(graph))
    if not rewriter.symbols:
        return
    for node in list(graph.graph.nodes):
        if node.op == "call_function" and _concerns(rewriter, node):
            _rewrite(rewriter, node)
    if not rewriter.apart:
        return
    _fold_again(rewriter)
    graph.graph.eliminate_dead_code()
    fold_constants(graph)


def _symbols(graph: GraphModule) -> set[str]:
    shapes = [nodes.shape(node) for node in graph.graph.nodes if node.op == "placeholder"]
    return {str(shape[0]) for shape in shapes if shape and not isinstance(shape[0], int)}


def _concerns(rewriter: Rewriter, node: Node) -> bool:
    """Return whether a tensor, or one that it is made of, has more than samples in its batch."""
    if node.target is operator.getitem:
        split: Any = node.args[0]
        return any(each in rewriter.apart for each in split.all_input_nodes)
    if any(each in rewriter.apart for each in node.all_input_nodes):
        return True
    if nodes.operator_name(node) in ("expand", "repeat"):  # of a constant, for every sample
        return any(_is_folded(rewriter, each) for each in (node, *node.users))
    return _is_folded(rewriter, node)


def _is_folded(rewriter: Rewriter, node: Node) -> bool:
    found = rewriter.batch(node)
    return found is not None and found != (PLAIN.dim, PLAIN.count)


def _rewrite(rewriter: Rewriter, node: Node) -> None:
    made = None
    rule = _rule(node)
    if rule is not None and (node.target is operator.getitem or rewriter.batch(node)):
        made = rule(rewriter, node)
    if made is None:
        return
    if made.layout == PLAIN and not made.is_repeated:
        replace(rewriter.graph, node, made.node)
    else:
        rewriter.apart[node] = made


def _rule(node: Node) -> Rule | None:
    name = nodes.operator_name(node)
    if node.target is operator.getitem:
        return moves.part
    if name == "pad":
        plain = nodes.argument(node, 2, "mode", "constant") == "constant"
        return moves.pad if plain else images.pool
    return rows.elementwise if is_elementwise(node) else _RULES.get(name)


def _fold_again(rewriter: Rewriter) -> None:
    """Let what has no rule read the tensors themselves, made of what stands for them."""
    for node, apart in rewriter.apart.items():
        if apart.moved or apart.is_repeated:
            continue
        others = [user for user in node.users if user not in rewriter.apart]
        if others:
            shape = nodes.shape(node) or ()
            again = rewriter.folded(node, apart, shape)
            for user in others:
                user.replace_input_with(node, again)
