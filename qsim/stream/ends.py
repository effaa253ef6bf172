"""How values of 64 bits become codes in a command: the end of a rescale, and what it is given."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.program import format_from_json
from qsim.stream.command import Command, NotInStream
from qsim.stream.lines import kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.program import Call
    from qsim.stream.layout import Layout
    from qsim.stream.source import Source

_INT64: Final = (-(1 << 63), (1 << 63) - 1)
_COST: Final = 32  # products that take as long as one element


def bounds_of(call: Call) -> tuple[int, int, int]:
    """Return the smallest and the largest code of a call's result, and its zero point."""
    from hw_models._pointwise import output_range

    a: Any = call.attributes
    clamp = None if a["clamp"] is None else tuple(a["clamp"])
    return (*output_range(format_from_json(a["output"]), clamp), a["zero_point"])


def end_words(
    source: Source,
    y: Layout,
    scheme: Any,
    ends: Sequence[int],
    bounds: tuple[int, int, int],
    count: int = 0,
) -> dict[int, int]:
    """Return the words that say how values of a range become codes.

    Args:
        source: the Program.
        y: what the codes are written to.
        scheme: a requantizer, or a Division.
        ends: the smallest and the largest value.
        bounds: the smallest and the largest code, and the zero point.
        count: of a mean.

    Raises:
        NotInStream: a value that the scheme may refuse, or a draw.
    """
    from hw_models.mean import Division, _divide_all
    from hw_models.pools.avg_pool import division_code
    from hw_models.requantization.plan import choose
    from hw_models.stream import fields as f
    from hw_models.stream.ends import number_of

    if not (_INT64[0] <= ends[0] <= ends[1] <= _INT64[1]):
        raise NotInStream("a value may exceed 64 bits")
    parameters: tuple[Any, ...]
    if isinstance(scheme, Division):
        kernel, parameters = _divide_all, (np.array([count, division_code(scheme.rounding)]),)
    else:
        _require_taken(scheme, ends)
        kernel, parameters = choose(scheme, ends[0], ends[1])
        length = scheme.channels or 1
        parameters = tuple(v if len(v) == length else np.repeat(v, length, 0) for v in parameters)
    parts = [np.array(bounds, np.int64), *(_words(part) for part in parameters)]
    table = np.concatenate([part.reshape(-1).view(np.uint8) for part in parts])
    return {
        f.MODE: number_of(kernel), f.TABLE: source.constants.add(table), f.Y_KIND: kind_of(y),
    }  # fmt: skip


def rescaling(
    index: int, reads: tuple[str, ...], write: str, op: int, words: dict[int, int]
) -> Command:
    """Return a command that ends in a rescale."""
    from hw_models.stream import fields as f
    from hw_models.stream.ends import WORK

    cost = _COST * words[f.N] * words[f.C] * words[f.O]
    return Command((index,), reads, write, op, words, WORK, products=cost)


def _words(values: Any) -> Any:
    kind = values.dtype if values.dtype.kind == "f" else np.int64
    return np.ascontiguousarray(values, kind)


def _require_taken(scheme: Any, ends: Sequence[int]) -> None:
    """Refuse where the scheme draws, or may refuse a value: only the interpreter names it."""
    from hw_models import ContractError
    from hw_models.schemes import FixedPoint
    from hw_models.schemes.fixed_point import TOSA

    if getattr(scheme, "rounding", "") == "stochastic":
        raise NotInStream("a draw depends on the element's place")
    if not isinstance(scheme, FixedPoint):
        return
    bits = scheme.operand_bits
    if ends[0] < -(1 << (bits - 1)) or ends[1] >= 1 << (bits - 1):
        raise NotInStream(f"a value may exceed the {bits} bits of {scheme.rounding} rounding")
    if scheme.rounding in TOSA:
        try:
            for channel, end in itertools.product(range(scheme.channels or 1), ends):
                scheme.reference(end, channel)
        except ContractError:
            raise NotInStream("TOSA refuses some values") from None
