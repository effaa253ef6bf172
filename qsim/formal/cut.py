"""Products, cut out of a proof.

No solver decides quickly that two multipliers of different widths agree. A product in the RTL and
one in the definition are equal when their operands are; so that is proved, and then both products
are replaced by the same free number, of which only the range is kept. What is proved so holds for
every product, hence for the real ones. A counterexample may be none: the caller asks again, with
the products in place.

With operands a and b that fit ``wa`` and ``wb`` bits, the exact product fits ``wa + wb`` bits; a
multiplier of fewer bits returns its low bits, so operands need only agree modulo its width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import z3

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Cut:
    """Terms after the cut.

    Attributes:
        rtl, spec: the two terms, their products replaced.
        assumptions: those that were given, products replaced, and what is known of the numbers
            that replace them.
        products: how many.
    """

    rtl: Any
    spec: Any
    assumptions: tuple[Any, ...]
    products: int


def cut(
    rtl: Any,
    spec: Any,
    assumptions: Sequence[Any],
    timeout_ms: int,
    products_too: Sequence[Any] = (),
) -> Cut | None:
    """Replace every product of the definition, and the equal one of the RTL, by a free number.

    Args:
        rtl: the term of the RTL.
        spec: that of the definition.
        assumptions: what is known.
        timeout_ms: for each query to the solver.
        products_too: what is known of products, and too slow to ask about operands.

    Returns:
        None where a product of either side has no equal on the other, or that is not proved.
    """
    known, later = list(assumptions), list(products_too)
    count = 0
    while (wanted := next(products(spec), None)) is not None:
        bounds = [_bounds(operand, known, timeout_ms) for operand in _ab(wanted)]
        twin = next((p for p in products(rtl) if _equal(p, wanted, known, timeout_ms)), None)
        corners = [a * b for a in bounds[0] for b in bounds[1]]
        low, high = min(corners), max(corners)
        width = max(low.bit_length(), high.bit_length()) + 1
        if twin is None or width > wanted.size():
            return None
        free = z3.BitVec(f"product {count}", width)
        count += 1
        ranges = [free >= low, free <= high, *_corner(wanted, bounds, free)]
        replaced = (wanted, _resize(free, wanted.size()))
        spec = z3.substitute(spec, replaced)
        known = [z3.substitute(fact, replaced) for fact in known] + ranges
        later = [z3.substitute(fact, replaced) for fact in later]
        rtl = z3.substitute(rtl, (twin, _resize(free, twin.size())))
    if not count or next(products(rtl), None) is not None:
        return None
    return Cut(rtl, spec, (*known, *later), count)


def products(term: Any) -> Iterator[Any]:
    """Yield the products of a term, operands' products first, but not those that are shifts."""
    seen: set[int] = set()
    stack = [(term, False)]
    while stack:
        node, done = stack.pop()
        if done:
            if z3.is_app_of(node, z3.Z3_OP_BMUL) and not any(map(_is_shift, node.children())):
                yield node
        elif node.get_id() not in seen:
            seen.add(node.get_id())
            stack.append((node, True))
            stack.extend((child, False) for child in node.children())


def _ab(product: Any) -> tuple[Any, Any]:
    a, b = product.children()
    return a, b


def _is_shift(operand: Any) -> bool:
    """Return whether an operand is a constant 0 or +-2**k."""
    value = z3.simplify(operand)
    if not z3.is_bv_value(value):
        return False
    magnitude = abs(value.as_signed_long())
    return bool(magnitude & (magnitude - 1) == 0)


def _resize(term: Any, width: int) -> Any:
    """Return the integer of a signed term in another width (its low bits, if that is less)."""
    if width <= term.size():
        return z3.Extract(width - 1, 0, term)
    return z3.SignExt(width - term.size(), term)


def _proved(claim: Any, assumptions: Sequence[Any], timeout_ms: int) -> bool:
    solver = z3.SolverFor("QF_BV")
    solver.set("timeout", timeout_ms)
    solver.add(*assumptions, z3.Not(claim))
    return bool(solver.check() == z3.unsat)


def _bounds(operand: Any, assumptions: Sequence[Any], timeout_ms: int) -> tuple[int, int]:
    """Return integers that an operand lies between, as narrow a register as is proved."""
    value = z3.simplify(operand)
    if z3.is_bv_value(value):
        return value.as_signed_long(), value.as_signed_long()
    low, high = 1, operand.size()
    while low < high:
        middle = (low + high) // 2
        fits = _resize(z3.Extract(middle - 1, 0, operand), operand.size()) == operand
        if _proved(fits, assumptions, timeout_ms):
            high = middle
        else:
            low = middle + 1
    end = 1 << (low - 1)
    symmetric = _proved(operand != -end, assumptions, timeout_ms)
    return -end + symmetric, end - 1


def _corner(product: Any, bounds: Sequence[tuple[int, int]], free: Any) -> list[Any]:
    """Return that only the two most negative operands make the largest product.

    It is 2**(i + j), operands lie in -2**i..2**i-1 and -2**j..2**j-1, and so no other magnitude
    reaches it: the next product is smaller by the smaller one of 2**i and 2**j.
    """
    if any(low != -high - 1 or high < 1 for low, high in bounds):
        return []
    (least_a, _), (least_b, _) = bounds
    a, b = _ab(product)
    largest = least_a * least_b
    both = z3.And(a == least_a, b == least_b)
    return [
        (free == largest) == both,
        z3.Or(free == largest, free <= largest + max(least_a, least_b)),
    ]


def _equal(rtl: Any, spec: Any, assumptions: Sequence[Any], timeout_ms: int) -> bool:
    """Return whether the operands of two products agree, in either order."""
    width = rtl.size()
    for a, b in (_ab(rtl), _ab(rtl)[::-1]):
        pairs = zip((a, b), _ab(spec), strict=True)
        claim = z3.And([r == _resize(s, width) for r, s in pairs])
        if _proved(claim, assumptions, timeout_ms):
            return True
    return False
