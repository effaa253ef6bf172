"""Which module makes the calls of a primitive."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.errors import TargetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qsim.golden.case import Case
    from qsim.target import Target

# Primitive -> the module of this package with a function of that name.
_MODULES: Final = {
    "sub": "pairs",
    "mul": "pairs",
    "minimum": "pairs",
    "maximum": "pairs",
    "shift_right": "pairs",
    "mean": "rows",
    "argmax": "rows",
    "concat": "moves",
    "pad": "moves",
    "permute": "moves",
    "reshape": "moves",
    "interpolate": "planes",
    "resize": "planes",
    "resize_scaled": "planes",
    "transposed_correlation": "planes",
    "prelu": "pairs",
}
PRIMITIVES: Final = tuple(_MODULES)


def cases(primitive: str, target: Target, seed: int = 0, count: int = 1000) -> list[Case]:
    """Return calls of a primitive in a target's widths and scheme.

    Args:
        primitive: a name of ``PRIMITIVES``.
        target: the contract; it need not list the primitive.
        seed: of what is drawn; equal arguments give equal cases.
        count: of results, at least.

    Raises:
        UsageError: no vectors are made for that primitive, or a negative count.
        TargetError: the target's widths or scheme have no such calls.
    """
    if primitive not in _MODULES:
        raise UsageError(f"no vectors are made for {primitive!r:.80}", accepted=", ".join(_MODULES))
    if count < 0:
        raise UsageError(f"the count of elements must not be negative, not {count}")
    from hw_models.errors import ContractError
    from qsim.golden.samples.call import Codes, finish

    digest = int(target.hash.removeprefix("sha256:")[:15], 16)
    codes = Codes(target, np.random.default_rng([seed, digest, PRIMITIVES.index(primitive)]))
    module: Any = importlib.import_module(f"qsim.golden.samples.{_MODULES[primitive]}")
    calls: Iterable[Any] = getattr(module, primitive)(codes, count)
    try:
        return [finish(primitive, call) for call in calls]
    except ContractError as error:
        raise TargetError(f"it has no {primitive}: {error}", where=target.name) from None
