"""The proof of quotient.sv: ``q * b + r == a`` and ``r < b``, for every divisor, digit by digit.

What the digits leave is found in the module's term, a choice for each digit. A step is proved from
anything below b that the digits before it may leave: of it and the next bit of a, b is taken away
if it fits, and the digit says whether. So what is left stays below b, and with b times the digit
it is what was there; summed up, that is ``a == q * b + r``. No product is asked of the solver.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import z3

from qsim.errors import FileFormatError
from qsim.formal import yosys
from qsim.formal.circuit import parse
from qsim.formal.goal import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from qsim.formal.circuit import Circuit
    from qsim.formal.goal import Status


@dataclass(frozen=True)
class Quotient:
    """quotient.sv at the widths of one use.

    Attributes:
        sources: its file.
        parameters: A_W, B_W, DIGITS.
    """

    sources: tuple[Path, ...]
    parameters: Mapping[str, int]
    module: str = "quotient"

    @property
    def assumed(self) -> tuple[str, ...]:
        """What the goals assume, in words."""
        return (f"a < b * 2**{self.parameters['DIGITS']}",)

    @property
    def count(self) -> int:
        """How many goals there are."""
        return self.parameters["DIGITS"] + 1

    def verdicts(self, timeout: float) -> list[Verdict]:
        """Decide each digit and the rest; ``timeout`` in seconds for each query.

        Raises:
            FileFormatError: yosys refuses the file, or it has no subtraction for each digit.
            MissingToolError: no yosys.
        """
        circuit = parse(yosys.smt2(self.sources, self.module, self.parameters))
        found = []
        for name, rules, expected, actual in self._steps(circuit):
            found.append(_decide(name, rules, expected, actual, timeout))
            if found[-1].status == "counterexample":
                break
        return found

    def _steps(self, circuit: Circuit) -> Iterator[tuple[str, Any, Any, Any]]:
        """Yield the name of each goal, what is given, what must be and what is.

        Of a digit both are the digit and what is left below it.
        """
        digits, width = self.parameters["DIGITS"], self.parameters["B_W"] + 1
        wide = width + 2
        a, b = (z3.BitVec(name, circuit.inputs[name]) for name in "ab")
        lefts = _choices(circuit.outputs["rest"], width)
        if len(lefts) != digits:
            raise FileFormatError(
                f"quotient must choose what is left once for each of {digits} digits, "
                f"not {len(lefts)} times",
                accepted="a quotient of one subtraction for each digit",
            )
        divisor = z3.ZeroExt(wide - b.size(), b)
        free = z3.BitVec("left", width)
        # Of a: the bits above the digits, which the first one begins with.
        padded = z3.ZeroExt(max(digits + width - a.size(), 0), a)
        before = z3.simplify(z3.Extract(digits + width - 1, digits, padded))
        previous: Any = None
        for number, left in enumerate(lefts):
            place = digits - 1 - number
            bit = z3.ZeroExt(wide - 1, z3.Extract(place, place, padded))
            digit = z3.Extract(place, place, circuit.outputs["quotient"])
            held = before
            if previous is not None:
                left, digit = (z3.substitute(t, (previous, free)) for t in (left, digit))
                held = free
            start, after = (z3.ZeroExt(wide - width, t) for t in (held, left))
            whole = 2 * start + bit
            fits = z3.UGE(whole, divisor)
            wanted = z3.Concat(
                z3.If(fits, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1)),
                z3.If(fits, whole - divisor, whole),
            )
            made = z3.Concat(z3.simplify(digit), after)
            yield f"digit {place}", z3.ULT(start, divisor), wanted, made
            previous = lefts[number]
        rest = z3.substitute(circuit.outputs["rest"], (previous, free))
        below = z3.ULT(z3.ZeroExt(wide - width, free), divisor)
        yield "rest", below, free, z3.ZeroExt(width - rest.size(), rest)


def _choices(term: Any, width: int) -> list[Any]:
    """Return the choices of a width in a term, those that others are made of first."""
    found, seen, stack = [], set(), [(term, False)]
    while stack:
        node, done = stack.pop()
        if done:
            if z3.is_app_of(node, z3.Z3_OP_ITE) and z3.is_bv(node) and node.size() == width:
                found.append(node)
        elif node.get_id() not in seen:
            seen.add(node.get_id())
            stack.append((node, True))
            stack.extend((child, False) for child in node.children())
    return found


def _decide(name: str, rules: Any, expected: Any, actual: Any, timeout: float) -> Verdict:
    start = time.perf_counter()
    solver: Any = z3.SolverFor("QF_BV")
    solver.set("timeout", max(int(timeout * 1000), 1))
    solver.add(rules, expected != actual)
    status = solver.check()
    seconds = time.perf_counter() - start
    if status != z3.sat:
        word: Status = "proven" if status == z3.unsat else "not proven"
        return Verdict(name, word, seconds)
    model = solver.model()
    values = {each.name(): int(model[each].as_long()) for each in model.decls()}
    wanted, made = (int(model.eval(t, model_completion=True).as_long()) for t in (expected, actual))
    values = dict(sorted(values.items()))
    return Verdict(name, "counterexample", seconds, 0, values, wanted, made)
