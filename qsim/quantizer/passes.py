"""Rewrites of an exported graph that make it a dataflow graph of few, plain operators.

None changes what the graph computes. They run before PT2E, because PT2E

* keeps operators that write in place, whose meaning changes once a quantize stands between;
* folds a batch norm into a convolution even where the convolution has other readers, or where two
  convolutions share one weight, and then computes something else.

``functional`` removes in-place operators, ``positional`` puts keyword arguments in their places,
``single_output_pools`` drops unused pooling indices, ``drop_whole_slices`` what ``x[:, :4]`` says
of the dimensions that it leaves alone, ``plain_moves`` writes every reordering as transpose or
permute, ``plain_factories`` sizes zeros by a tensor, ``fold_constants`` computes what depends on
parameters only, and ``fold_batch_norm`` folds where it is exact and spells out the rest.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import torch

from qsim import operators
from qsim.errors import ModelError

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

_aten = torch.ops.aten
# dropout in eval hands its input on, which its schema does not say.
_ALIASES = frozenset({_aten.dropout.default})
_BATCH_NORM = _aten.batch_norm.default
_SLICE_END = 2**63 - 1
_RANDOM = frozenset(
    {"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like"}
    | {"bernoulli", "exponential", "multinomial", "normal", "poisson", "uniform"}
)
_FACTORIES = {
    _aten.zeros.default: _aten.new_zeros.default,
    _aten.ones.default: _aten.new_ones.default,
    _aten.full.default: _aten.new_full.default,
}


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


def refuse_random(graph: GraphModule) -> None:
    """Refuse operators whose result is another one at every run."""
    for node in graph.graph.nodes:
        name = str(node.target).removeprefix("aten.").partition(".")[0].rstrip("_")
        drops = name.endswith("dropout") and operators.argument(node, 2, "train", False) is True
        if node.op == "call_function" and (drops or name in _RANDOM):
            raise ModelError(
                f"{node.target} draws random numbers",
                where=operators.layer(node),
                accepted="a model whose outputs depend on its inputs alone",
            )


def functional(graph: GraphModule) -> None:
    """Replace operators that write into their first operand by those that return a new tensor."""
    order = {node: index for index, node in enumerate(graph.graph.nodes)}
    base: dict[Node, Node] = {}
    for node in list(graph.graph.nodes):
        base[node] = base.get(_aliased(node), node) if _aliased(node) is not None else node
        if not _writes(node):
            continue
        target = node.args[0]
        assert isinstance(target, torch.fx.Node)  # noqa: S101  # for mypy: schemas say so
        _check_write(node, target, base, order)
        node.target = _functional(node)
        later = {user for user in target.users if order[user] > order[node]}
        target.replace_all_uses_with(node, delete_user_cb=later.__contains__)


def _schema(node: Node) -> Any:
    return getattr(node.target, "_schema", None) if node.op == "call_function" else None


def _aliased(node: Node) -> Any:
    """Return the operand whose memory the node's result may share, or None."""
    schema = _schema(node)
    if schema is None or not schema.arguments or not node.args:
        return None
    if node.target in _ALIASES or schema.arguments[0].alias_info is not None:
        return node.args[0] if isinstance(node.args[0], torch.fx.Node) else None
    return None


def _writes(node: Node) -> bool:
    schema = _schema(node)
    if schema is None or not schema.arguments:
        return False
    info = schema.arguments[0].alias_info
    return info is not None and info.is_write


def _check_write(node: Node, target: Node, base: dict[Node, Node], order: dict[Node, int]) -> None:
    root = base[target]
    if operators.is_parameter(root):
        raise ModelError(
            f"writes into its buffer {root.target!r} with {node.target}",
            where=operators.layer(node),
            accepted="a model without state: an accelerator starts every run alike",
        )
    for other, other_root in base.items():
        stale = other_root is root and other not in (target, node)
        if stale and any(order[user] > order[node] for user in other.users):
            raise ModelError(
                f"{node.target} writes into a view of {other.name}, which is read afterwards",
                where=operators.layer(node),
                accepted="the operator that returns a new tensor",
            )


def _functional(node: Node) -> Any:
    name, overload = str(node.target).split(".")[1:]
    packet = getattr(_aten, name.removesuffix("_"), None)
    found = getattr(packet, overload, None)
    if found is None or not name.endswith("_"):
        raise ModelError(
            f"{node.target} writes in place and has no counterpart that does not",
            where=operators.layer(node),
            accepted="the operator that returns a new tensor",
        )
    return found


def positional(graph: GraphModule) -> None:
    """Move keyword arguments of operators with a family to their positions, as far as they go."""
    for node in graph.graph.nodes:
        schema = _schema(node)
        if schema is None or not node.kwargs or node.target not in operators.table():
            continue
        args, kwargs = list(node.args), dict(node.kwargs)
        for argument in schema.arguments[len(args) :]:
            if argument.kwarg_only or not kwargs:
                break
            if argument.name not in kwargs and not argument.has_default_value():
                break
            args.append(kwargs.pop(argument.name, argument.default_value))
        node.args, node.kwargs = tuple(args), kwargs


def single_output_pools(graph: GraphModule) -> None:
    """Replace max_pool with indices by max_pool where nothing reads the indices."""
    plain = {
        _aten.max_pool2d_with_indices.default: _aten.max_pool2d.default,
        _aten.max_pool1d_with_indices.default: _aten.max_pool1d.default,
    }
    for node in list(graph.graph.nodes):
        if node.target not in plain:
            continue
        parts = [u for u in node.users if u.target is operator.getitem and u.users]
        if any(part.args[1] != 0 for part in parts) or not parts:
            continue
        first = parts[0]
        node.target = plain[node.target]
        node.meta["val"] = first.meta["val"]
        for user in list(node.users):
            user.replace_all_uses_with(node)
            graph.graph.erase_node(user)


def drop_whole_slices(graph: GraphModule) -> None:
    """Remove slices that take all of a dimension: ``x[:, :4]`` is exported as two slices."""
    for node in list(graph.graph.nodes):
        if node.target is not _aten.slice.Tensor or node.kwargs:
            continue
        start, end = operators.argument(node, 2, "start"), operators.argument(node, 3, "end")
        step = operators.argument(node, 4, "step", 1)
        if start in (0, None) and (end is None or end == _SLICE_END) and step == 1:
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)


def plain_moves(graph: GraphModule) -> None:
    """Write mT, swapaxes, movedim and unflatten as transpose, permute and reshape."""
    for node in graph.graph.nodes:
        name = str(node.target).removeprefix("aten.").partition(".")[0]
        if node.op != "call_function" or node.kwargs or operators.shape(node) is None:
            continue
        if name == "mT":
            node.target, node.args = _aten.transpose.int, (node.args[0], -2, -1)
        elif name in ("swapaxes", "swapdims"):
            node.target = _aten.transpose.int
        elif name in ("movedim", "moveaxis"):
            rank = len(operators.shape(node) or ())
            probe = torch.empty([2] * rank, device="meta")  # all strides differ
            moved = probe.movedim(*node.args[1:]).stride()
            dims = [probe.stride().index(stride) for stride in moved]
            node.target, node.args = _aten.permute.default, (node.args[0], dims)
        elif name == "unflatten":
            sizes = [d if isinstance(d, int) else -1 for d in operators.shape(node) or ()]
            if sizes.count(-1) <= 1:
                node.target, node.args = _aten.reshape.default, (node.args[0], sizes)


def plain_factories(graph: GraphModule) -> None:
    """Make zeros, ones and full of a symbolic size from the tensor that has the size."""
    for node in list(graph.graph.nodes):
        new = _FACTORIES.get(node.target)
        sizes = [n for n in node.all_input_nodes if n.target is _aten.sym_size.int]
        if new is None or not sizes:
            continue
        dtype = node.meta["val"].dtype
        node.target, node.args = new, (sizes[0].args[0], *node.args)
        node.kwargs = {"dtype": dtype}


def fold_constants(graph: GraphModule) -> None:
    """Compute operators that read parameters and buffers only, or nothing; keep their results."""
    for node in list(graph.graph.nodes):
        schema = _schema(node)
        if schema is None or not all(map(operators.is_parameter, node.all_input_nodes)):
            continue
        if torch.Tag.nondeterministic_seeded in node.target.tags or len(schema.returns) != 1:
            continue
        value = node.target(*_values(graph, node.args), **_values(graph, node.kwargs))
        if isinstance(value, torch.Tensor):
            constant = _constant(graph, node, f"{node.name}_folded", value)
            node.replace_all_uses_with(constant)
            graph.graph.erase_node(node)


def _values(graph: GraphModule, arguments: Any) -> Any:
    return torch.fx.node.map_arg(arguments, lambda node: attribute(graph, str(node.target)))


def attribute(graph: GraphModule, path: str) -> torch.Tensor:
    """Return the parameter or buffer at a dotted path."""
    value: Any = graph
    for name in path.split("."):
        value = getattr(value, name)
    if not isinstance(value, torch.Tensor):
        raise ModelError(f"{path!r} is not a tensor", accepted="tensors as parameters and buffers")
    return value.detach()


def _constant(graph: GraphModule, before: Node, name: str, value: torch.Tensor) -> Node:
    """Add a buffer to the graph's module and a node that reads it."""
    unique, count = name, 0
    while hasattr(graph, unique):
        count += 1
        unique = f"{name}_{count}"
    graph.register_buffer(unique, value.detach().clone())
    with graph.graph.inserting_before(before):
        node = graph.graph.get_attr(unique)
    fake = before.meta["val"].fake_mode
    node.meta["val"] = fake.from_tensor(value.detach(), static_shapes=True)
    return node


def drop_unused(graph: GraphModule) -> GraphModule:
    """Delete parameters and buffers that no node reads."""
    read = {str(node.target) for node in graph.graph.nodes if node.op == "get_attr"}
    held = [name for name, _ in graph.named_parameters(remove_duplicate=False)]
    held += [name for name, _ in graph.named_buffers(remove_duplicate=False)]
    for name in held:
        owner, _, leaf = name.rpartition(".")
        if name not in read:
            delattr(graph.get_submodule(owner), leaf)
    return graph


def fold_batch_norm(graph: GraphModule) -> None:
    """Fold a batch norm into the convolution or linear that it alone reads; spell out the others.

    Spelled out (a product and a sum with constants, on the host), because PT2E would fold it where
    it must not, and while a batch norm is left its convert searches for patterns of QAT: half a
    minute of torch.export.
    """
    for norm in list(graph.graph.nodes):
        if norm.target is not _BATCH_NORM or not _is_constant(norm):
            continue
        producer = norm.args[0]
        factor, offset = _affine(graph, norm)
        if isinstance(producer, torch.fx.Node) and _folds(producer):
            _fold(graph, producer, factor, offset)
            norm.replace_all_uses_with(producer)
        else:
            _spell_out(graph, norm, factor, offset)
        graph.graph.erase_node(norm)


def _is_constant(norm: Node) -> bool:
    constant = all(a is None or operators.is_parameter(a) for a in norm.args[1:5])
    return (
        constant and norm.args[3] is not None and norm.args[4] is not None and norm.args[5] is False
    )


def _folds(producer: Node) -> bool:
    family = operators.family(producer)
    # A linear of more than two dimensions has its features last, batch norm normalises axis 1.
    flat = len(operators.shape(producer) or ()) == 2
    return len(producer.users) == 1 and (family == "conv" or (family == "linear" and flat))


def _double(graph: GraphModule, node: Any) -> torch.Tensor:
    return attribute(graph, str(node.target)).to(torch.float64)


def _affine(graph: GraphModule, norm: Node) -> tuple[torch.Tensor, torch.Tensor]:
    """Return factor and offset per channel, in double: one rounding to fp32 comes at the end."""
    gamma, beta, mean, variance = norm.args[1:5]
    factor = torch.rsqrt(_double(graph, variance) + float(str(norm.args[7])))
    factor = factor if gamma is None else factor * _double(graph, gamma)
    offset = -_double(graph, mean) * factor
    return factor, offset if beta is None else offset + _double(graph, beta)


def _fold(graph: GraphModule, producer: Node, factor: torch.Tensor, offset: torch.Tensor) -> None:
    weight = _double(graph, producer.args[1])
    bias = operators.bias(producer)
    if bias is not None:
        offset = offset + _double(graph, bias) * factor
    scaled = weight * factor.reshape([-1] + [1] * (weight.dim() - 1))
    args = [*producer.args, None][: max(3, len(producer.args))]
    # New constants: the weight may be read by another operator too.
    args[1] = _constant(graph, producer, f"{producer.name}_weight", scaled.float())
    args[2] = _constant(graph, producer, f"{producer.name}_bias", offset.float())
    producer.args = tuple(args)


def _spell_out(graph: GraphModule, norm: Node, factor: torch.Tensor, offset: torch.Tensor) -> None:
    value: Any = norm.args[0]
    shape = [-1] + [1] * (len(operators.shape(norm) or ()) - 2)
    dtype = norm.meta["val"].dtype
    steps = (("mul", factor), ("add", offset))
    for name, constant in steps:
        held = _constant(graph, norm, f"{norm.name}_{name}_by", constant.reshape(shape).to(dtype))
        with graph.graph.inserting_before(norm):
            step = graph.graph.create_node(
                "call_function",
                getattr(_aten, name).Tensor,
                (value, held),
                name=f"{norm.name}_{name}",
            )
        step.meta = dict(norm.meta)
        value = step
    norm.replace_all_uses_with(value)
