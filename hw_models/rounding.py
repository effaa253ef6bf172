"""Rounding of ``x / 2**k`` to an integer, by every name of the field.

Real-number meaning: the integer next to ``x / 2**k``, the direction or the tie decided by the
mode. ``k <= 0`` is the exact left shift ``x * 2**-k`` under every mode but none rounds.

| mode             | integer formula (``h = 2**(k-1)``)           | also called                    |
|------------------|----------------------------------------------|--------------------------------|
| floor            | ``x >> k``                                   | AP_TRN, RVV rdn, truncation    |
| ceil             | ``-(-x >> k)``                               |                                |
| toward_zero      | ``sign(x) * (abs(x) >> k)``                  | AP_TRN_ZERO, C division        |
| away             | ``sign(x) * -(-abs(x) >> k)``                |                                |
| half_up          | ``(x + h) >> k``                             | AP_RND, RVV rnu, rndnu         |
| half_down        | ``-((-x + h) >> k)``                         | AP_RND_MIN_INF                 |
| half_away        | ``sign(x) * ((abs(x) + h) >> k)``            | AP_RND_INF, NVDLA              |
| half_toward_zero | ties to zero                                 | AP_RND_ZERO                    |
| half_even        | ``(x + h - 1 + ((x >> k) & 1)) >> k``        | AP_RND_CONV, RVV rne, IEEE     |
| half_odd         | ``(x + h - ((x >> k) & 1)) >> k``            |                                |
| jam              | ``(x >> k) | 1``                             | von Neumann rounding           |
| stochastic       | ``(x + r) >> k``, r uniform in ``[0, 2**k)`` |                                |

Corners: QONNX's HALF_UP is ``half_away`` here. ``jam`` sets the last bit even where the quotient
is exact, and does nothing when ``k <= 0``. ``stochastic`` draws ``r`` from the element's index and
the seed (splitmix64), never from a stream: the answer does not depend on order or threads.

The functions use only ``+ - * >> & |``, signed comparison and ``select``, so that they also run
on bit-vectors of an SMT solver, wide enough that ``x + 2**k`` does not wrap.

A mode is complete when each of these knows it. tests/hw_models/places/test_rounding.py asks every
one of them about every mode, and names those that do not:

| place                                          | what a mode has there                         |
|------------------------------------------------|-----------------------------------------------|
| hw_models/rounding.py                          | a row above, and its subsets below            |
| hw_models.rounding.round_shift                 | the definition, of integers                   |
| hw_models.rounding.round_shift, bit-vectors    | the same, of an SMT solver                    |
| hw_models.requantization.exact.rounding_table  | its row of constants for every kernel         |
| hw_models.requantization.fast.prepare          | its vector arithmetic, or none                |
| hw_models.pools.avg_pool.divide                | the division, if it is one of ``DIVISIONS``   |
| hw_models.pools.avg_pool.division_code         | its number in the kernels that divide         |
| qsim/target/words.py                           | its name in the Literals of targets           |
| rtl_tb/rtl/round_shift.sv                      | the case of its number                        |
| rtl_tb/rtl/avg_pool_core.sv                    | the same, if it is one of ``DIVISIONS``       |
| docs/numerics.md                               | a row of the table                            |
| docs/targets.md                                | its name where a target may say it            |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from hw_models.errors import ContractError, no_case
from hw_models.tracing import step

if TYPE_CHECKING:
    from collections.abc import Callable

Rounding: TypeAlias = Literal[
    "floor",
    "ceil",
    "toward_zero",
    "away",
    "half_up",
    "half_down",
    "half_away",
    "half_toward_zero",
    "half_even",
    "half_odd",
    "jam",
    "stochastic",
]
# The position in this tuple is the mode's number in the kernels, in files and in the RTL: a new
# name goes last.
ROUNDINGS: Final[tuple[Rounding, ...]] = get_args(Rounding)
# Rules of a quotient by any integer; the others are of bits, so that only a shift has them.
DivisionRounding: TypeAlias = Literal[
    "floor",
    "ceil",
    "toward_zero",
    "away",
    "half_up",
    "half_down",
    "half_away",
    "half_toward_zero",
    "half_even",
    "half_odd",
]
DIVISIONS: Final[tuple[DivisionRounding, ...]] = get_args(DivisionRounding)
SHIFTS_ONLY: Final[tuple[Rounding, ...]] = ("jam", "stochastic")
# Rules of the value alone; the others draw a number for each element.
DeterministicRounding: TypeAlias = Literal[DivisionRounding, "jam"]
DETERMINISTIC: Final[tuple[DeterministicRounding, ...]] = get_args(DeterministicRounding)
DRAWING: Final[tuple[Rounding, ...]] = ("stochastic",)

_MASK64: Final = (1 << 64) - 1


def rounding_code(rounding: str) -> int:
    """Return the number of a rounding mode, or raise ContractError."""
    if not isinstance(rounding, str) or rounding not in ROUNDINGS:
        raise ContractError(
            f"rounding must be one of its names, not {rounding!r} (accepted: "
            f"{', '.join(ROUNDINGS)})"
        )
    return ROUNDINGS.index(rounding)


def require_division(rounding: Rounding, name: str) -> DivisionRounding:
    """Return a rounding that a quotient can have, or raise ContractError."""
    rounding_code(rounding)
    if rounding not in DIVISIONS:
        raise ContractError(
            f"{name} must be a rule of the quotient, not {rounding!r} (accepted: floor, ceil, "
            "toward_zero, away, half_*)"
        )
    return rounding


def require_deterministic(rounding: Rounding, name: str) -> DeterministicRounding:
    """Return a rounding that draws no numbers, or raise ContractError."""
    rounding_code(rounding)
    if rounding not in DETERMINISTIC:
        raise ContractError(
            f"{name} must be deterministic, not {rounding!r} (accepted: {', '.join(DETERMINISTIC)})"
        )
    return rounding


def splitmix64(seed: int, index: int) -> int:
    """Return the index-th 64-bit draw of a seed (Steele, Lea and Flood, OOPSLA 2014)."""
    z = (seed + (index + 1) * 0x9E3779B97F4A7C15) & _MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
    return z ^ (z >> 31)


def _select(condition: Any, then: Any, other: Any) -> Any:
    return then if condition else other


def round_shift(
    x: Any,
    k: int,
    rounding: Rounding,
    *,
    draw: int = 0,
    select: Callable[[Any, Any, Any], Any] = _select,
) -> Any:
    """Return ``x / 2**k`` rounded to an integer: the definition, in exact integers.

    Args:
        x: an integer, or a bit-vector.
        k: right shift; zero or negative shifts left exactly.
        rounding: a name of ``ROUNDINGS``.
        draw: for ``stochastic``, a 64-bit random number; its top ``k`` bits are used
            (all 64, shifted up, when ``k`` exceeds 64).
        select: ``if``-expression; an SMT solver passes its own.
    """
    rounding_code(rounding)
    if k <= 0:
        return step(x * (1 << -k), "shift", "exact")
    return step(_shifted(x, k, rounding, draw, select), "shift", rounding)


def _shifted(  # noqa: C901 - one case per rounding, and nothing else
    x: Any, k: int, rounding: Rounding, draw: int, select: Callable[[Any, Any, Any], Any]
) -> Any:
    half = 1 << (k - 1)
    up = step(x + half, "nudge") >> k
    down = -(step(-x + half, "nudge") >> k)
    floor = x >> k
    ceil = -((-x) >> k)
    negative = x < 0
    match rounding:
        case "floor":
            return floor
        case "ceil":
            return ceil
        case "toward_zero":
            return select(negative, ceil, floor)
        case "away":
            return select(negative, floor, ceil)
        case "half_up":
            return up
        case "half_down":
            return down
        case "half_away":
            return select(negative, down, up)
        case "half_toward_zero":
            return select(negative, up, down)
        case "half_even":
            return step(x + (half - 1) + (floor & 1), "nudge") >> k
        case "half_odd":
            return step(x + half - (floor & 1), "nudge") >> k
        case "jam":
            return floor | 1
        case "stochastic":
            return step(x + (draw >> (64 - k) if k <= 64 else draw << (k - 64)), "nudge") >> k
        case _:
            raise ContractError(no_case(rounding, "the rounding of a shift", ROUNDINGS))
