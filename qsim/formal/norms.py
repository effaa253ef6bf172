"""The proof of what is combinational in norm.sv, which layer_norm, group_norm and rms_norm run on.

Each module against what ``hw_models.integer`` defines: the sums of a row, its variance, the window
of digits, every digit of the root and of its reciprocal, and the sum that is rescaled, for every
shift. A digit is proved from any state that the digits before it may leave: by induction the digits
are those of ``root`` and ``quotient``. The rescale is requantize_core, which has its own proof.

The order in which norm.sv does these things is simulated, not proved.
"""

from __future__ import annotations

import functools
import operator
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import z3

from hw_models import FixedFormat, IntegerNorm, PowerOfTwo
from hw_models.integer.digits import quotient_step, root_step, rounded
from hw_models.integer.norms import variance_of
from qsim.cosim.jobs import norm
from qsim.formal import yosys
from qsim.formal.circuit import parse
from qsim.formal.cut import cut, products
from qsim.formal.decide import solver_of
from qsim.formal.goal import Verdict
from qsim.formal.provable import sources_of
from qsim.golden import directed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from qsim.formal.circuit import Circuit
    from qsim.formal.goal import Status
    from qsim.target import Target

MODULES: Final = (
    "norm_sums", "norm_variance", "norm_window", "root_digit", "quotient_digit", "norm_scale",
)  # fmt: skip
_LENGTH: Final = 63  # of a variance
_LAST_SHIFT: Final = 61


@dataclass(frozen=True)
class Claim:
    """That an output of a module is what the definition makes of its inputs.

    Attributes:
        name: for people.
        output: of the module.
        given: terms of its inputs.
        expected: a bit-vector so wide that nothing wraps.
        assumed: about the inputs.
        signed: how the output is read.
    """

    name: str
    output: str
    given: Mapping[str, Any]
    expected: Any
    assumed: tuple[Any, ...] = ()
    signed: bool = False


@dataclass(frozen=True)
class Part:
    """A module of norm.sv with its claims.

    Attributes:
        module: its name.
        sources: its files.
        parameters: its parameters.
        assumed: what the claims assume, in words.
        claims: made when they are decided.
    """

    module: str
    sources: tuple[Path, ...]
    parameters: Mapping[str, int]
    assumed: tuple[str, ...]
    claims: Callable[[Mapping[str, int]], Iterator[Claim]]

    @property
    def count(self) -> int:
        """How many claims there are."""
        return sum(1 for _ in self.claims(self.parameters))

    def verdicts(self, timeout: float) -> list[Verdict]:
        """Decide the claims, until one has a counterexample; ``timeout`` in seconds for each query.

        Raises:
            FileFormatError: yosys refuses a file.
            MissingToolError: no yosys.
        """
        circuit = parse(yosys.smt2(self.sources, self.module, self.parameters))
        found: list[Verdict] = []
        for claim in self.claims(self.parameters):
            found.append(_decide(circuit, claim, timeout))
            if found[-1].status == "counterexample":
                break
        return found


def parts(primitive: str, target: Target, rtl: Path | None) -> list[Part]:
    """Return what there is to prove of a target's norms, as wide as its first directed vectors.

    Raises:
        UsageError: they rescale by a scheme without RTL, or ``rtl`` holds none of their files.
    """
    unit = norm.unit(directed.cases(primitive, target, 0, 0)[0], target)
    p = unit.parameters
    files = dict(zip(unit.sources, sources_of(unit, rtl), strict=True))
    code = {name: p[name] for name in ("X_W", "X_SIGNED", "ZX_W", "CENTRED")}
    c_w = max(p["X_W"] + 1, p["ZX_W"]) + 1
    count_w = p["ROW_W"] + 1
    rows = "rows that hw_models.integer.norms takes"
    scale = {"C_W": c_w, "COUNT_W": count_w, "ROOT_BITS": p["ROOT_BITS"], "W_W": p["W_W"]}
    made = (
        ("norm_sums", code, _sums, (f"total and squares fit 32 and 62 bits ({rows})",)),
        ("norm_variance", {"COUNT_W": count_w, "GUARD": p["GUARD"]}, _variance,
         (f"total**2 <= count * squares < 2**{62 - p['GUARD']} ({rows})",)),
        ("norm_window", {"ROOT_BITS": p["ROOT_BITS"]}, _window, ("1 <= value",)),
        ("root_digit", {"ROOT_BITS": p["ROOT_BITS"]}, _root,
         ("root is that of the digits before",)),
        ("quotient_digit", {"W": p["ROOT_BITS"]}, _quotient, ("rest < divisor",)),
        ("norm_scale", scale, _scale,
         (f"count * c, n and acc fit 32 bits, reciprocal <= 2**{p['ROOT_BITS']} ({rows})",)),
    )  # fmt: skip
    return [
        Part(name, _files(name, files), parameters, assumed, claims)
        for name, parameters, claims, assumed in made
    ]


def _files(module: str, files: Mapping[str, Path]) -> tuple[Path, ...]:
    below = ("round_shift",) if module == "norm_scale" else ()
    return tuple(files[f"{name}.sv"] for name in (*below, module))


def _sums(p: Mapping[str, int]) -> Iterator[Claim]:
    x, zero = z3.BitVec("x", p["X_W"]), z3.BitVec("x_zero_point", p["ZX_W"])
    total, squares = z3.BitVec("total", 32), z3.BitVec("squares", 62)
    first = z3.BitVec("first", 1)
    given = {"x": x, "x_zero_point": zero, "total": total, "squares": squares, "first": first}
    wide = 80
    code = _wide(x, wide, signed=bool(p["X_SIGNED"])) - _wide(zero, wide, signed=True)
    nothing = z3.BitVecVal(0, wide)
    begun = z3.If(first == 1, nothing, _wide(total, wide, signed=True))
    summed = begun + code if p["CENTRED"] else nothing
    squared = z3.If(first == 1, nothing, _wide(squares, wide, signed=False)) + code * code
    fits = (summed >= -(1 << 31), summed < 1 << 31, squared >= 0, squared < 1 << 62)
    yield Claim("c = x - x_zero_point", "c", given, code, (), signed=True)
    yield Claim("total", "total_next", given, summed, fits[:2], signed=True)
    yield Claim("squares", "squares_next", given, squared, fits[2:])


def _variance(p: Mapping[str, int]) -> Iterator[Claim]:
    names = {"count": p["COUNT_W"], "total": 32, "squares": 62, "epsilon": 62}
    given = {name: z3.BitVec(name, bits) for name, bits in names.items()}
    wide = 140
    held = {name: _wide(term, wide, signed=name == "total") for name, term in given.items()}
    both, square = held["count"] * held["squares"], held["total"] * held["total"]
    count, total, squares, epsilon = held.values()
    expected = variance_of(count, total, squares, epsilon, p["GUARD"], z3.If)
    # What is cut is a square: not below 0, which needs no assumption.
    assumed = (square >= 0, both >= square, both < 1 << (62 - p["GUARD"]))
    yield Claim("variance", "variance", given, expected, assumed)


def _window(p: Mapping[str, int]) -> Iterator[Claim]:
    bits = p["ROOT_BITS"]
    definition = _definition(bits, 0)
    value = z3.BitVec("value", _LENGTH)
    wide = _wide(value, 2 * _LENGTH + 2, signed=False)
    window, places = definition.window(wide, z3.If)
    for size in range(1, _LENGTH + 1):
        assumed = (wide >= 1 << (size - 1), wide < 1 << size)
        given = {"value": value}
        yield Claim(f"places, {size} bits", "places", given, places, assumed, signed=True)
        yield Claim(f"window, {size} bits", "window", given, window, assumed)


def _root(p: Mapping[str, int]) -> Iterator[Claim]:
    """Give, for every digit, the next root and what is left, from any root before it.

    The product that is not cut is that of the root with itself.
    """
    bits = p["ROOT_BITS"]
    wide = 2 * bits + 8
    n, root = z3.BitVec("n", 2 * bits), z3.BitVec("root", bits)
    square = z3.BitVec("root * root", wide)  # of this, only what follows is known
    whole, held = _wide(n, wide, signed=False), _wide(root, wide, signed=False)
    for place in reversed(range(bits)):
        top = z3.LShR(whole, 2 * place + 2)
        rest = top - square
        made_so_far = held < 1 << (bits - 1 - place)  # so many digits
        known = (square >= 0, square <= top, rest <= 2 * held, made_so_far)
        given = {
            "root": root,
            "rest": z3.Extract(bits, 0, rest),
            "bits": z3.Extract(2 * place + 1, 2 * place, n),
        }
        made = root_step(held * (1 << (place + 1)), whole, place, z3.If)
        made = _with_square(made, held, square)
        digit = z3.If(made == held * (1 << (place + 1)), z3.BitVecVal(0, wide), 1)
        yield Claim(f"digit {place} of the root", "root_next", given, 2 * held + digit, known)
        grown = 4 * square + digit * 4 * held + digit  # (2 * root + digit)**2
        left = z3.LShR(whole, 2 * place) - grown
        yield Claim(f"what digit {place} leaves", "rest_next", given, left, known)


def _with_square(term: Any, held: Any, square: Any) -> Any:
    """Return a term in which the products of the root are sums with its square in them."""
    term, held = z3.simplify(term, som=True), z3.simplify(held)
    pairs = []
    for product in products(term):
        factors = product.children()
        others = [factor for factor in factors if not z3.eq(factor, held)]
        if len(factors) - len(others) == 2:
            pairs.append((product, functools.reduce(operator.mul, others, square)))
    return z3.substitute(term, *pairs)


def _quotient(p: Mapping[str, int]) -> Iterator[Claim]:
    bits = p["W"]
    wide = 2 * bits + 8
    a, divisor = z3.BitVec("a", 2 * bits), z3.BitVec("divisor", bits)
    whole = _wide(a, wide, signed=False)
    for place in reversed(range(bits + 1)):
        rest = z3.LShR(whole, place + 1)  # of the digits before: what is left of the dividend
        known = (rest < _wide(divisor, wide, signed=False),)
        given = {
            "rest": z3.Extract(bits - 1, 0, rest),
            "next_bit": z3.Extract(place, place, a),
            "divisor": divisor,
        }
        fits, left = quotient_step(whole, _wide(divisor, wide, signed=False), place, z3.If)
        digit = z3.If(fits, z3.BitVecVal(1, wide), 0)
        yield Claim(f"digit {place} of the quotient", "digit", given, digit, known)
        left = z3.LShR(left, place)
        yield Claim(f"what digit {place} leaves", "rest_next", given, left, known)


def _scale(p: Mapping[str, int]) -> Iterator[Claim]:
    names = {"c": p["C_W"], "count": p["COUNT_W"], "total": 32, "reciprocal": p["ROOT_BITS"] + 1}
    names |= {"weight": p["W_W"], "bias": 32}
    terms = {name: z3.BitVec(name, bits) for name, bits in names.items()}
    wide = 130
    held = {n: _wide(t, wide, signed=n not in ("count", "reciprocal")) for n, t in terms.items()}
    scaled = held["count"] * held["c"]
    for shift in range(_LAST_SHIFT + 1):
        n = rounded((scaled - held["total"]) * held["reciprocal"], shift)
        acc = n * held["weight"] + held["bias"]
        known = tuple(
            claim for value in (scaled, n, acc) for claim in (value >= -(1 << 31), value < 1 << 31)
        )
        limit = held["reciprocal"] <= 1 << p["ROOT_BITS"]
        given = terms | {"shift": z3.BitVecVal(shift, 6)}
        yield Claim(f"acc, shift {shift}", "acc", given, acc, (*known, limit), signed=True)


def _definition(root_bits: int, guard: int) -> IntegerNorm:
    return IntegerNorm(PowerOfTwo(0), 0, 0, root_bits, guard)


def _wide(term: Any, width: int, *, signed: bool) -> Any:
    extend = z3.SignExt if signed else z3.ZeroExt
    return extend(width - term.size(), term)


def _decide(circuit: Circuit, claim: Claim, timeout: float) -> Verdict:
    start = time.perf_counter()
    milliseconds = max(int(timeout * 1000), 1)
    rtl = circuit.apply(claim.output, claim.given)
    terms = cut(rtl, claim.expected, (), milliseconds, claim.assumed)
    if terms is not None:
        asked = _differs(terms.rtl, terms.spec, claim)
        if _check((*terms.assumptions, asked), rtl, milliseconds)[0] == z3.unsat:
            seconds = time.perf_counter() - start
            return Verdict(claim.name, "proven", seconds, terms.products)
    status, model = _check(
        (*claim.assumed, _differs(rtl, claim.expected, claim)), rtl, milliseconds
    )
    if status != z3.sat:
        word: Status = "proven" if status == z3.unsat else "not proven"
        return Verdict(claim.name, word, time.perf_counter() - start)
    values = {
        name: _integer(model, term, FixedFormat(term.size(), signed=False))
        for name, term in claim.given.items()
    }
    form = FixedFormat(rtl.size(), signed=claim.signed)
    expected = model.eval(claim.expected, model_completion=True).as_signed_long()
    seconds = time.perf_counter() - start
    actual = _integer(model, rtl, form)
    return Verdict(claim.name, "counterexample", seconds, 0, values, expected, actual)


def _differs(rtl: Any, expected: Any, claim: Claim) -> Any:
    return _wide(rtl, expected.size(), signed=claim.signed) != expected


def _check(facts: Sequence[Any], rtl: Any, milliseconds: int) -> tuple[Any, Any]:
    solver = solver_of(rtl, milliseconds)
    solver.add(*facts)
    status = solver.check()
    return status, solver.model() if status == z3.sat else None


def _integer(model: Any, term: Any, form: FixedFormat) -> int:
    word = int(model.eval(term, model_completion=True).as_long())
    return word - (1 << form.bits) if form.signed and word >> (form.bits - 1) else word
