"""Shapes of the commonest operators, told at once while a model is exported.

Where the batch is a symbol, torch finds what an operator makes from its definition in Python: a
batch norm, a ReLU or a concatenation is some ten operators on shapes there, most of an export's
time. Of a plain operand (contiguous, dimension 0 the only symbol, no other dimension of size 1) the
result is plain too, and its shape is known. Whatever else comes takes torch's own way.

The one place that touches torch's table of such shapes, which is private; torch is pinned.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Shape = tuple[Any, ...]
    # The dtype is the first operand's: that of any operator below.
    Rule = Callable[..., Shape | None]

_aten = torch.ops.aten
_UNARY = (
    _aten.relu.default,
    _aten.hardtanh.default,
    _aten.sigmoid.default,
    _aten.tanh.default,
    _aten.silu.default,
    _aten.gelu.default,
    _aten.hardswish.default,
    _aten.hardsigmoid.default,
)
_BATCH_NORM = _aten._native_batch_norm_legit_no_training.default  # noqa: SLF001 - its name in aten


@contextlib.contextmanager
def known_shapes() -> Iterator[None]:
    """Let fake tensors find the shapes of plain operands at once meanwhile."""
    from torch._subclasses import fake_impls

    table = fake_impls.get_fast_op_impls()
    rules: dict[Any, Rule] = {_BATCH_NORM: _batch_norm, _aten.cat.default: _cat}
    rules.update(dict.fromkeys(_UNARY, _unary))
    mine = {each: _kernel(each, rule, table) for each, rule in rules.items() if each not in table}
    table.update(mine)
    try:
        yield
    finally:
        for each in mine:
            table.pop(each, None)


def _kernel(operator: Any, rule: Rule, table: dict[Any, Any]) -> Callable[..., Any]:
    def kernel(mode: Any, *args: Any, **kwargs: Any) -> Any:
        shape = rule(*args, **kwargs)
        if shape is not None:
            like = args[0][0] if isinstance(args[0], (list, tuple)) else args[0]
            made = _fake(mode, shape, like)
            if operator is _BATCH_NORM:  # the statistics of a batch, of which eval has none
                return made, _fake(mode, (0,), like), _fake(mode, (0,), like)
            return made
        table.pop(operator, None)
        try:
            with mode:
                return operator(*args, **kwargs)
        finally:
            table[operator] = kernel

    return kernel


def _fake(mode: Any, shape: Shape, like: torch.Tensor) -> torch.Tensor:
    from torch._subclasses.fake_tensor import FakeTensor

    return FakeTensor(mode, torch.empty(shape, dtype=like.dtype, device="meta"), device=like.device)


def _unary(x: Any, *_: Any, **__: Any) -> Shape | None:
    return tuple(x.shape) if _is_plain(x) else None


def _batch_norm(x: Any, *args: Any, **__: Any) -> Shape | None:
    statistics = [each for each in args if isinstance(each, torch.Tensor)]
    if len(statistics) != 4 or not _is_plain(x) or x.dim() < 2:
        return None
    same = all(tuple(each.shape) == (x.shape[1],) and each.dtype == x.dtype for each in statistics)
    return tuple(x.shape) if same else None


def _cat(parts: Sequence[Any], dim: int = 0) -> Shape | None:
    if not parts or not all(map(_is_plain, parts)):
        return None
    first = parts[0]
    dim = dim + first.dim() if dim < 0 else dim
    if not 0 < dim < first.dim():
        return None
    rest = _but(first, dim)
    same = all(_but(each, dim) == rest and each.dtype == first.dtype for each in parts[1:])
    total = sum(each.shape[dim] for each in parts)
    return (*first.shape[:dim], total, *first.shape[dim + 1 :]) if same else None


def _but(x: torch.Tensor, dim: int) -> tuple[str, ...]:
    # Symbols are compared by their text: `==` on them would guard on the answer.
    return tuple(str(size) for at, size in enumerate(x.shape) if at != dim)


def _is_plain(x: Any) -> bool:
    if not torch.is_tensor(x) or not x.dtype.is_floating_point or x.device.type != "cpu":
        return False
    sizes: list[Any] = list(x.shape)
    strides: list[Any] = list(x.stride())
    # Of a fixed batch torch's own way is fast.
    if not sizes or isinstance(sizes[0], int) or not all(isinstance(i, int) for i in strides):
        return False
    if not all(isinstance(size, int) and size > 1 for size in sizes[1:]):
        return False
    return strides == [math.prod(sizes[at:]) for at in range(1, len(sizes) + 1)]
