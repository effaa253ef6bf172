"""The arithmetic of requantize's fast kernels, on sixteen int32 lanes of LLVM vectors.

LLVM does not find this form by itself: the even and the odd int32 lanes are multiplied as the low
halves of int64 lanes (one instruction on x86), so nothing is widened. Every operation is exact, and
LLVM lowers the vectors to whatever the CPU has.

A mode takes accumulators, the rows of its parameters and the header's own words, and returns the
values before they are packed. ``_requantize_fast`` says why each is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LANES: Final = 16
MAGIC: Final = 0x4B400000  # the bits of 1.5 * 2**23 in float32
TOP: Final = 0x4B7FF800  # of 2**24 - 2**11

_I32, _I64 = ir.IntType(32), ir.IntType(64)
V32: Final = ir.VectorType(_I32, LANES)
_VF, _V64 = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(_I64, LANES // 2)


def indices(numbers: Sequence[int]) -> Any:
    """Return a constant vector of lane numbers."""
    return ir.Constant(ir.VectorType(_I32, len(numbers)), list(numbers))


def splat(b: Any, value: Any, kind: Any) -> Any:
    """Return a vector of one value in every lane."""
    blank = ir.Constant(kind, ir.Undefined)
    one = b.insert_element(blank, value, ir.Constant(_I32, 0))
    return b.shuffle_vector(one, blank, indices([0] * kind.count))


def const(kind: Any, value: float) -> Any:
    """Return a constant vector of one number."""
    return ir.Constant(kind, [value] * kind.count)


def load(b: Any, pointer: Any) -> Any:
    """Load 16 int32 from any address."""
    vector = b.load(b.bitcast(pointer, V32.as_pointer()))
    vector.align = 4
    return vector


def clamp(b: Any, x: Any, low: Any, high: Any) -> Any:
    """Bound every lane from both sides."""
    x = b.select(b.icmp_signed(">", x, low), x, low)
    return b.select(b.icmp_signed("<", x, high), x, high)


def _halves(b: Any, x: Any) -> tuple[Any, Any]:
    """The even and the odd lanes, as int64."""
    pairs, by = b.bitcast(x, _V64), const(_V64, 32)
    return b.ashr(b.shl(pairs, by), by), b.ashr(pairs, by)


def _uppers(b: Any, even: Any, odd: Any) -> Any:
    """The upper halves of the int64 lanes, back in their int32 lanes."""
    order = [LANES * (lane & 1) + (lane | 1) for lane in range(LANES)]
    return b.shuffle_vector(b.bitcast(even, V32), b.bitcast(odd, V32), indices(order))


def _single(b: Any, x: Any, rows: Sequence[Any], own: Sequence[Any]) -> Any:
    del own
    m, r, e = rows
    products = (b.mul(p, q) for p, q in zip(_halves(b, x), _halves(b, m), strict=True))
    return b.ashr(b.add(_uppers(b, *products), r), e)


def _double(b: Any, x: Any, rows: Sequence[Any], own: Sequence[Any]) -> Any:
    del own
    m, r, e = rows
    zero, back = const(_V64, 0), const(_V64, -(1 << 31))
    pairs = b.bitcast(r, _V64)
    uppers = b.shl(pairs, const(_V64, 32)), b.and_(pairs, const(_V64, -(1 << 32)))
    sums = []
    for p, q, upper in zip(_halves(b, x), _halves(b, m), uppers, strict=True):
        product = b.mul(p, q)
        total = b.add(product, b.or_(upper, const(_V64, 1 << 30)))
        negative = b.icmp_signed("<", product, zero)
        sums.append(b.select(negative, b.add(total, back), total))
    return b.ashr(_uppers(b, *sums), e)


def _doubled(b: Any, x: Any, rows: Sequence[Any], own: Sequence[Any]) -> Any:
    del own
    m, r, e = rows
    pairs, low, high = b.bitcast(r, _V64), const(_V64, (1 << 32) - 1), const(_V64, -(1 << 32))
    factors, uppers = b.bitcast(m, _V64), (b.shl(pairs, const(_V64, 32)), b.and_(pairs, high))
    biased = b.bitcast(b.xor(x, const(V32, -(1 << 31))), _V64)
    by = const(_V64, 32)
    sums = []
    for p, q, upper in (
        (b.and_(biased, low), b.and_(factors, low), uppers[0]),
        (b.lshr(biased, by), b.lshr(factors, by), uppers[1]),
    ):
        sums.append(b.add(b.mul(p, q), b.or_(upper, const(_V64, 1 << 31))))
    h = b.add(_uppers(b, *sums), b.ashr(x, const(V32, 31)))
    return b.ashr(h, e)


def _float(b: Any, x: Any, rows: Sequence[Any], own: Sequence[Any]) -> Any:
    low, high = (b.bitcast(v, _VF) for v in own[:2])
    value = b.fmul(b.sitofp(x, _VF), b.bitcast(rows[0], _VF))
    value = b.select(b.fcmp_ordered(">", value, low), value, low)
    value = b.select(b.fcmp_ordered("<", value, high), value, high)
    bits = b.bitcast(b.fadd(value, b.bitcast(const(V32, MAGIC), _VF)), V32)
    return b.add(bits, own[2])


def _fma(b: Any, x: Any, y: Any, z: Any) -> Any:
    name = f"llvm.fma.v{LANES}f32"
    return b.call(b.module.declare_intrinsic(name, (), ir.FunctionType(_VF, [_VF] * 3)), [x, y, z])


def _line(signed: bool, floor: bool) -> Callable[..., Any]:
    """signed: negative x has an offset of its own; floor: x is kept from below the header's."""

    def emit(b: Any, x: Any, rows: Sequence[Any], own: Sequence[Any]) -> Any:
        first, second, offset, *below = (b.bitcast(row, _VF) for row in rows)
        value = b.sitofp(x, _VF)
        if floor:
            low = b.bitcast(own[1], _VF)
            value = b.select(b.fcmp_ordered(">", value, low), value, low)
        if signed:
            offset = b.select(b.icmp_signed("<", x, const(V32, 0)), below[0], offset)
        value = _fma(b, _fma(b, value, first, offset), second, b.bitcast(const(V32, TOP), _VF))
        return b.add(b.bitcast(value, V32), own[0])

    return emit


def _shift_plain(b: Any, x: Any, rows: Sequence[Any], own: Sequence[Any]) -> Any:
    del own
    low, high, bias, e = rows
    return b.ashr(b.add(clamp(b, x, low, high), bias), e)


def _shift_sign(b: Any, x: Any, rows: Sequence[Any], own: Sequence[Any]) -> Any:
    del own
    low, high, bias, e, negative = rows
    sign = b.and_(b.ashr(x, const(V32, 31)), negative)
    return b.ashr(b.add(b.add(clamp(b, x, low, high), bias), sign), e)


def _shift_parity(b: Any, x: Any, rows: Sequence[Any], own: Sequence[Any]) -> Any:
    del own
    low, high, bias, e, flip, mask = rows
    x = clamp(b, x, low, high)
    bit = b.and_(b.xor(b.ashr(x, e), flip), mask)
    return b.ashr(b.add(b.add(x, bias), bit), e)


def _shift_jam(b: Any, x: Any, rows: Sequence[Any], own: Sequence[Any]) -> Any:
    del own
    low, high, zero, e, last = rows
    return b.add(b.or_(b.ashr(clamp(b, x, low, high), e), last), zero)


# Position: the mode's number. Entry: how many rows its table has, and its arithmetic.
MODES: Final[tuple[tuple[int, Callable[..., Any]], ...]] = (
    (3, _single),
    (3, _double),
    (3, _doubled),
    (1, _float),
    (4, _shift_plain),
    (5, _shift_sign),
    (6, _shift_parity),
    (5, _shift_jam),
    # LINE + 2 * signed + floor
    (3, _line(signed=False, floor=False)),
    (3, _line(signed=False, floor=True)),
    (4, _line(signed=True, floor=False)),
    (4, _line(signed=True, floor=True)),
)
SINGLE, DOUBLE, DOUBLED, FLOAT, SHIFT_PLAIN, SHIFT_SIGN, SHIFT_PARITY, SHIFT_JAM, LINE = range(
    len(MODES) - 3
)
# What reports call the modes, in their order.
NAMES: Final = (
    "single", "double", "doubled", "float", "shift", "shift by sign", "shift by parity", "jam",
    "line", "line from a floor", "line of two signs", "line of two signs from a floor",
)  # fmt: skip
