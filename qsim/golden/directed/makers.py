"""Directed vectors: operands chosen for what goes wrong, with the outputs of the definitions.

Random operands hardly ever meet what tells one rounding from another: of a million random
accumulators, two are exact ties under a shift of 20. The vectors here are made for their class:
exact ties of both signs and what lies beside them, saturation edges, extreme and zero operands,
every combination of signs, exact multiples below zero; then random ones within the range that does
not saturate. ``Case.classes`` counts them.

What is expected comes from the definition of each primitive in plain Python integers
(``hw_models.<primitive>.reference``), never from a kernel.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qsim.golden.case import Case
    from qsim.target import Target

# Primitive -> the module of this package that makes its vectors, imported when asked for, and the
# part of it that has `cases` and `variants`, where one module serves several primitives.
_MODULES: Final = {
    "correlation": ("products", "Correlation"),
    "linear": ("products", "Linear"),
    "matmul": ("products", "Matmul"),
    "bias_add": ("bias_add", None),
    "requantize": ("requantize", None),
    "add": ("add", None),
    "clamp": ("codes", "Clamp"),
    "lookup": ("codes", "Lookup"),
    "max_pool": ("pools", "MaxPool"),
    "avg_pool": ("pools", "AvgPool"),
    "strided_slice": ("moves", "StridedSlice"),
    "gather": ("moves", "Gather"),
    "layer_norm": ("norms", "LayerNorm"),
    "group_norm": ("norms", "GroupNorm"),
    "rms_norm": ("norms", "RmsNorm"),
    "softmax": ("units", "Softmax"),
    "masked_softmax": ("masks", "MaskedSoftmax"),
    "integer_function": ("units", "IntegerFunction"),
    "rotary": ("units", "Rotary"),
    "cache_write": ("caches", "CacheWrite"),
    "embedding": ("caches", "Embedding"),
}
PRIMITIVES: Final = tuple(_MODULES)


class Maker(Protocol):
    """What makes the vectors of one primitive."""

    def cases(self, target: Target, seed: int, count: int) -> Iterable[Case]:
        """Return vectors of the target's own scheme."""

    def variants(self, target: Target, seed: int, count: int) -> Iterable[Case]:
        """Return vectors of the other schemes."""


def cases(primitive: str, target: Target, seed: int = 0, count: int = 1000) -> list[Case]:
    """Return directed vectors of a primitive as a target computes it.

    Args:
        primitive: a name of ``PRIMITIVES``; widths, scheme, rounding, overflow and order are the
            target's.
        target: the contract.
        seed: of what is drawn; equal arguments give equal cases.
        count: at least so many random elements, beside the directed ones.

    Raises:
        UsageError: no vectors are made for that primitive, or a negative count.
    """
    return list(_maker(primitive, count).cases(target, seed, count))


def holding(
    primitive: str, target: Target, numbers: Mapping[str, int], seed: int = 0, count: int = 1000
) -> list[Case]:
    """Return directed vectors for a datapath that has some numbers of its beats fixed.

    Args:
        primitive: as in :func:`cases`, like all others.
        target: the contract.
        numbers: what is fixed, by field of a beat. Vectors of requantize are made for them; those
            of other primitives are what :func:`cases` makes.
        seed: of what is drawn.
        count: at least so many random elements.

    Raises:
        UsageError: as :func:`cases`; or the target's scheme has no such number.
    """
    if primitive != "requantize" or not numbers:
        return cases(primitive, target, seed, count)
    from hw_models.errors import ContractError
    from qsim.golden.directed import requantize

    _maker(primitive, count)
    try:
        return requantize.holding(target, numbers, seed, count)
    except ContractError as error:
        raise UsageError(f"{target.name} has no such requantize: {error}", where="fixed") from None


def variants(primitive: str, target: Target, seed: int = 0, count: int = 1000) -> list[Case]:
    """Return vectors of every other scheme of a primitive, in the target's widths.

    Args:
        primitive: as in :func:`cases`, like all others.
        target: states the formats; its own scheme is left out.
        seed: of what is drawn.
        count: at least so many random elements for each scheme.

    Raises:
        UsageError: as :func:`cases`.
    """
    return list(_maker(primitive, count).variants(target, seed, count))


def _maker(primitive: str, count: int) -> Maker:
    if primitive not in _MODULES:
        raise UsageError(
            f"no directed vectors are made for {primitive!r:.80}", accepted=", ".join(PRIMITIVES)
        )
    if count < 0:
        raise UsageError(
            f"the count of random elements must not be negative, not {count}", accepted="0 or more"
        )
    module, part = _MODULES[primitive]
    maker: Any = importlib.import_module(f"qsim.golden.directed.{module}")
    return cast("Maker", maker if part is None else getattr(maker, part))
