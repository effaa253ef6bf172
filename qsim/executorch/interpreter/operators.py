"""From the name of an operator in a ``.pte`` to what computes it.

Three kinds: torch's own out variants (``aten::*``), ExecuTorch's quantized kernels, and the copies
that state a dim order. Where ExecuTorch's portable kernel rounds in another order than torch's, its
order is what counts: :mod:`qsim.executorch.interpreter.portable`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from qsim.errors import ModelError
from qsim.executorch import adapter
from qsim.executorch.interpreter import arguments, kernel_names, quantized
from qsim.executorch.interpreter.arguments import Argument
from qsim.executorch.interpreter.portable import defined, on_shapes

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator.

    Attributes:
        name: as the file says it.
        signature: its arguments, out tensors included.
        call: computes; takes the arguments by the signature.
        on_shapes: the same on meta tensors, which have shapes and no data.
        guard: refuses what ``call`` must not be given; None where it refuses by itself.
    """

    name: str
    signature: tuple[Argument, ...]
    call: Callable[..., object]
    on_shapes: Callable[..., object]
    guard: Callable[..., None] | None = None


@lru_cache(maxsize=512)
def find(name: str) -> Operator:
    """Return the operator of a name.

    Raises:
        ModelError: there is none.
        MissingToolError: it is one of ExecuTorch's kernels, which do not load.
    """
    if name in _DIM_ORDER:
        return _DIM_ORDER[name]
    guard = quantized.GUARDS.get(name)
    if guard is not None:
        adapter.load_quantized_kernels()
    elif name not in kernel_names.ATEN:
        raise ModelError(
            f"it calls operator {name[:80]!r}, which qsim does not run",
            accepted="the operators of docs/executorch.md",
        )
    library, _, rest = name.partition("::")
    packet, _, overload = rest.partition(".")
    operator: Any = getattr(getattr(torch.ops, library), packet)
    operator = getattr(operator, overload or "default")
    signature = arguments.of_schema(operator._schema)  # noqa: SLF001 - torch has no other way
    call = defined(name, operator)
    if guard is None and name in kernel_names.ELEMENTWISE:
        return Operator(name, signature, call, _same_shape)
    if name in kernel_names.BROADCAST:
        return Operator(name, signature, call, _broadcast)
    return Operator(name, signature, call, guard or on_shapes(name, operator), guard)


def _same_shape(self: torch.Tensor, *args: Any, out: torch.Tensor, **keywords: Any) -> None:  # noqa: ARG001
    # As torch's own meta kernels, of which these take seconds to load.
    out.resize_(self.shape)


def _broadcast(*args: Any, out: torch.Tensor, **keywords: Any) -> None:  # noqa: ARG001 - alpha
    shapes = [value.shape for value in args if isinstance(value, torch.Tensor)]
    broadcast: Any = torch.broadcast_shapes
    out.resize_(broadcast(*shapes))


def _copy(
    self: torch.Tensor,
    *,
    non_blocking: bool = False,  # noqa: ARG001
    dim_order: list[int] | None = None,  # noqa: ARG001 - the out tensor has it
    out: torch.Tensor,
) -> None:
    if out.shape != self.shape:
        out.resize_(self.shape)
    out.copy_(self)


def _empty(
    size: list[int],
    *,
    dim_order: list[int] | None = None,  # noqa: ARG001 - as above
    out: torch.Tensor,
) -> None:
    out.resize_(size)


def _dim_order(name: str, first: Argument, call: Callable[..., object]) -> Operator:
    blocking = (Argument("non_blocking", "bool", keyword=True, written=False),)
    signature = (
        first,
        *(blocking if call is _copy else ()),
        Argument("dim_order", "Optional[List[int]]", keyword=True, written=False),
        Argument("out", "Tensor", keyword=True, written=True),
    )
    return Operator(name, signature, call, call)


_SELF = Argument("self", "Tensor", keyword=False, written=False)
_SIZE = Argument("size", "List[int]", keyword=False, written=False)
_DIM_ORDER = {
    operator.name: operator
    for operator in (
        _dim_order("dim_order_ops::_clone_dim_order.out", _SELF, _copy),
        _dim_order("dim_order_ops::_to_dim_order_copy.out", _SELF, _copy),
        _dim_order("dim_order_ops::_empty_dim_order.out", _SIZE, _empty),
    )
}
