"""A pass over masks that an input makes: one form, where the target has a masked softmax.

Where it has a plain one alone, mask and softmax stay in torch: a code for what hides, far below all
scores, would leave none for the scores themselves.

Models spell them in many ways: bools or numbers added to the scores, counted up, indexed and
expanded for every sample, with a causal mask inside. All hide an element of the scores where one
element of an input is 0 (or is not), or always. So they are found by what they compute: the
operators between input and mask are run on drawn inputs, and what they hide must be that.

A row that shows nothing has weights of 0 then, as ``scaled_dot_product_attention`` has it; where a
model adds a least number to the scores in place of minus infinity, torch would share the row out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from torch.fx import Node

from qsim.graph import nodes
from qsim.quantizer.passes.constants import add_constant
from qsim.quantizer.passes.masks import HIDDEN, RUN_TIME, SOFTMAX, stay, stays, table_of, unmarked
from qsim.quantizer.passes.written.cone import Cone, cone_of
from qsim.quantizer.rewriting import insert, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch.fx import GraphModule

    from qsim.target import Target

_aten = torch.ops.aten
_SOFTMAX: Final = (*SOFTMAX, _aten._safe_softmax.default)  # noqa: SLF001 - its name
_DRAWS: Final = 4


class _Found(NamedTuple):
    """What a mask hides.

    Attributes:
        source: the input that it is made of.
        nonzero: whether its nonzero elements hide, and not the zeros.
        sizes: the shape in which the source broadcasts to the scores, without the batch.
        always: what is hidden whatever the source holds.
    """

    source: Node
    nonzero: bool
    sizes: list[int]
    always: torch.Tensor


def masked_softmaxes(graph: GraphModule, target: Target) -> None:
    """Write each softmax of scores that an input masks in the form of ``qsim.graph.masked``."""
    if not target.has("masked_softmax"):
        if target.has("softmax"):
            _stay_masked(graph)
        return
    written: dict[tuple[Node, str], Node | None] = {}
    for softmax in list(graph.graph.nodes):
        if softmax.target not in _SOFTMAX or not _plain(softmax):
            continue
        for scores, mask, hides in _spellings(graph, softmax.args[0]):
            key = mask, hides.__name__
            if key not in written:
                written[key] = _hidden(graph, softmax.args[0], mask, hides)
            hidden = written[key]
            if hidden is not None:
                _write(graph, softmax, scores, hidden)
                break


def _stay_masked(graph: GraphModule) -> None:
    """Keep each softmax in torch whose scores are hidden by what an input makes, and the mask."""
    for softmax in list(graph.graph.nodes):
        if softmax.target not in _SOFTMAX or stays(softmax) or not _plain(softmax):
            continue
        x: Any = softmax.args[0]
        for _, mask, hides in _spellings(graph, x):
            if table_of(mask) is None and (hides in (_true, _false) or _may_hide(graph, mask)):
                stay(x, RUN_TIME)
                stay(softmax, RUN_TIME)
                break


def _may_hide(graph: GraphModule, mask: Node) -> bool:
    """Return whether a number that is added is one that hides, for one of two inputs."""
    cone = cone_of(graph, mask)
    if cone is None:
        return False
    made = [cone.run(make([2, *cone.sizes]).to(cone.dtype)) for make in (torch.zeros, torch.ones)]
    return any(each is not None and bool((each.abs() >= -HIDDEN).any()) for each in made)


def _plain(softmax: Node) -> bool:
    """Return whether a softmax alone reads its operand, and converts it to nothing else."""
    x = softmax.args[0]
    alone = isinstance(x, Node) and len(x.users) == 1 and nodes.is_float(x)
    return alone and nodes.argument(softmax, 2, "dtype") in (None, torch.float32)


def _write(graph: GraphModule, softmax: Node, scores: Node, hidden: Node) -> None:
    fill = insert(graph, softmax, _aten.masked_fill.Scalar, scores, hidden, float("-inf"))
    dim = nodes.argument(softmax, 1, "dim")
    safe = _aten._safe_softmax.default  # noqa: SLF001 - its name
    made = insert(graph, softmax, safe, unmarked(fill), dim, name="softmax")
    replace(graph, softmax, unmarked(made))


def _least(value: torch.Tensor) -> torch.Tensor:
    return value <= HIDDEN


def _most(value: torch.Tensor) -> torch.Tensor:
    return value >= -HIDDEN


def _true(value: torch.Tensor) -> torch.Tensor:
    return value.bool()


def _false(value: torch.Tensor) -> torch.Tensor:
    return ~value.bool()


def _spellings(
    graph: GraphModule, x: Node
) -> Iterator[tuple[Node, Node, Callable[[torch.Tensor], torch.Tensor]]]:
    """Give what may be scores, a mask, and what of the mask hides."""
    name, args = nodes.operator_name(x), x.args
    found: list[tuple[Any, Any, Callable[[torch.Tensor], torch.Tensor]]] = []
    if name == "add" and not x.kwargs:
        found = [(args[0], args[1], _least), (args[1], args[0], _least)]
    elif name == "sub" and not x.kwargs:
        found = [(args[0], args[1], _most)]
    elif name == "masked_fill" and _is_low(graph, args[2]):
        found = [(args[0], args[1], _true)]
    elif name == "where" and len(args) == 3:
        found = [(args[1], args[0], _false)] if _is_low(graph, args[2]) else []
        found += [(args[2], args[0], _true)] if _is_low(graph, args[1]) else []
    for scores, mask, hides in found:
        known = isinstance(scores, Node) and isinstance(mask, Node) and mask.op != "get_attr"
        if known and str(nodes.shape(scores)) == str(nodes.shape(x)):
            yield scores, mask, hides


def _is_low(graph: GraphModule, value: Any) -> bool:
    """Return whether a number hides what it stands for."""
    if nodes.is_parameter(value):
        held = nodes.attribute(graph, value)
        value = float(held) if held.numel() == 1 else 0.0
    return isinstance(value, (int, float)) and value <= HIDDEN


def _hidden(
    graph: GraphModule, x: Node, mask: Node, hides: Callable[[torch.Tensor], torch.Tensor]
) -> Node | None:
    """Return a node that says of each element whether it is hidden; None where no input does."""
    cone = cone_of(graph, mask)
    found = None if cone is None else _probed(cone, nodes.shape(x) or (), hides)
    if found is None:
        return None
    operator = _aten.ne.Scalar if found.nonzero else _aten.eq.Scalar
    made = unmarked(insert(graph, x, operator, found.source, 0, name="hides"))
    shape = [-1, *found.sizes]
    made = unmarked(insert(graph, x, _aten.reshape.default, made, shape, name="hidden"))
    if bool(found.always.any()):
        always = add_constant(graph, x, f"{mask.name}_always", found.always)
        made = unmarked(insert(graph, x, _aten.logical_or.default, made, always, name="hidden"))
    return made


def _probed(
    cone: Cone, of: tuple[Any, ...], hides: Callable[[torch.Tensor], torch.Tensor]
) -> _Found | None:
    """Return what a mask hides, if one element of an input decides on each of its own."""
    batch = 2
    full = [batch, *of[1:]]
    if not all(isinstance(size, int) for size in of[1:]):
        return None

    def hidden(values: torch.Tensor) -> torch.Tensor | None:
        made = cone.run(values)
        try:
            return None if made is None else hides(made).expand(full)
        except RuntimeError:
            return None

    shape = [batch, *cone.sizes]
    zeros, ones = (hidden(make(shape).to(cone.dtype)) for make in (torch.zeros, torch.ones))
    if zeros is None or ones is None or torch.equal(zeros, ones):
        return None
    nonzero = bool((ones & ~zeros).any())
    always = (zeros if nonzero else ones)[:1]
    drawn = torch.Generator().manual_seed(0)
    numbers = torch.tensor([0, 0, 1, 1, 2, 7], dtype=torch.int64)
    for sizes in _placed(cone.sizes, len(of)):
        if any(size not in (1, whole) for size, whole in zip(sizes, full[1:], strict=True)):
            continue
        for _ in range(_DRAWS):
            values = numbers[torch.randint(6, shape, generator=drawn)].to(cone.dtype)
            marks = values.bool().reshape(batch, *sizes)
            wanted = always | (marks if nonzero else ~marks)
            made = hidden(values)
            if made is None or not torch.equal(made, wanted.expand(full)):
                break
        else:
            return _Found(cone.source, nonzero, sizes, _narrow(always))
    return None


def _placed(sizes: list[int], rank: int) -> Iterator[list[int]]:
    """Give the shapes in which an input may meet scores of a rank, without the batch."""
    missing = rank - 1 - len(sizes)
    if missing >= 0:
        yield [1] * missing + sizes
    if missing > 0:
        yield [1] * (missing - 1) + sizes + [1]


def _narrow(mask: torch.Tensor) -> torch.Tensor:
    """Keep one entry of each dimension along which a mask is the same."""
    for axis in range(mask.dim()):
        head = mask.narrow(axis, 0, 1)
        mask = head if bool((mask == head).all()) else mask
    return mask.contiguous()
