"""Where ExecuTorch's kernels round otherwise than torch's: their arithmetic, defined here.

torch leaves float32 convolutions to oneDNN, which adds in blocks and with fused multiply-adds, its
sums add in pairs, and its functions are vectorized approximations. ExecuTorch's kernels add one
after the other and call the C library. Both are right within rounding; a ``.pte`` means the second.

Only float32 is defined, as the built-in models use it; other types run in torch. The modules
beside this one hold the definitions by family.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qsim.executorch.interpreter.portable import (
    elementwise,
    functions,
    norms,
    products,
    scaling,
    sums,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from qsim.executorch.interpreter.portable.types import Definition

DEFINITIONS: Final[dict[str, Definition]] = {
    f"aten::{name}": definition
    for family in (
        elementwise,
        functions,
        norms,
        products,
        scaling,
        sums,
    )
    for name, definition in family.DEFINITIONS.items()
}


def defined(name: str, operator: Any) -> Callable[..., None]:
    """Return the function that computes an operator into its out tensors."""
    definition = DEFINITIONS.get(name)
    if definition is None:
        return operator  # type: ignore[no-any-return]
    outs = [argument.name for argument in operator._schema.arguments if argument.is_out]  # noqa: SLF001

    def call(*args: Any, **keywords: Any) -> None:
        given = {name: value for name, value in keywords.items() if name not in outs}
        try:
            results = definition.compute(*args, **given)
        except MemoryError:  # a size that a file states, not one that a network needs
            raise ValueError("its result does not fit into memory") from None
        if results is None:
            operator(*args, **keywords)
            return
        for out, result in zip(outs, results, strict=True):
            _put(keywords[out], result)

    return call


def on_shapes(name: str, operator: Any) -> Callable[..., None]:
    """Return the function that checks an operator's shapes on meta tensors."""
    definition = DEFINITIONS.get(name)
    shapes = definition.shapes if definition is not None else None
    if shapes is None:
        return operator  # type: ignore[no-any-return]
    outs = [argument.name for argument in operator._schema.arguments if argument.is_out]  # noqa: SLF001

    def call(*args: Any, **keywords: Any) -> None:
        given = {name: value for name, value in keywords.items() if name not in outs}
        for out, shape in zip(outs, shapes(*args, **given), strict=True):
            keywords[out].resize_(tuple(shape))

    return call


def _put(out: torch.Tensor, result: torch.Tensor) -> None:
    if out.dtype != result.dtype:
        raise TypeError(f"its result is {result.dtype}, its out tensor {out.dtype}")
    if out.shape != result.shape:
        if out.numel():
            raise ValueError(f"its result is {list(result.shape)}, as {list(out.shape)} planned")
        out.resize_(result.shape)
    out.copy_(result)
