"""The proof of the order in which softmax.sv does things, for rows of up to 4 codes.

``rtl_tb/formal/softmax_formal.sv`` is its scoreboard. Base and step of an induction, as in
``induction.py``, hence for all rows, stalls and resets; with the invariant below about memories and
counters. The step is taken apart, for no solver compares the sums of two states at once: a row that
waits for its results stays as it is, so what is made of it does; each term is the one that is
written; then each part of the invariant, under these facts.

Arithmetic is left open: exponential, quotient and softmax_core are any functions (proved apart).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import z3

from qsim.cosim.simulators import RTL_TB
from qsim.formal import yosys
from qsim.formal.goal import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from qsim.formal.goal import Status

_PLACES: Final = 2  # bits of a place: rows of up to 4 codes
_CODE: Final = 3
_MOST: Final = 1 << _PLACES
_COUNT: Final = _PLACES + 1
PARAMETERS: Final[Mapping[str, int]] = {
    "IN_W": _CODE, "IN_SIGNED": 1, "OUT_W": 2, "HALF_UP": 1, "LENGTH_W": _PLACES,
}  # fmt: skip
# Functions that are open, with the widths of their operands and of their value.
_OPEN: Final = {
    "exponential": (17, 6, 13, 15, 28, 30),
    "quotient": (33, 31, 33),
    "rest": (33, 31, 31),
    "share": (16, 33, 3, 3, 2),
}
# What a row that waits holds, and what the scoreboard makes of it, in the order of its making.
_HELD: Final = ("codes", "marks", "numbers", "count")
_MADE: Final = ("largest", "any", "terms", "sums", "factor")


def _n(name: str) -> str:
    return f"(|top_n {name}| {{s}})"


def _bits(name: str, low: int, width: int) -> str:
    return f"((_ extract {low + width - 1} {low}) {_n(name)})"


def _value(value: int, width: int = _COUNT) -> str:
    return f"(_ bv{value} {width})"


def _entry(memory: str, place: int) -> str:
    return f"(select (|top_m dut.{memory}| {{s}}) {_value(place, _PLACES)})"


def _below(place: int, name: str) -> str:
    return f"(bvult {_value(place)} {_n(name)})"


def _both(*facts: str) -> str:
    return f"(and {' '.join(facts)})"


def _if(given: str, fact: str) -> str:
    return f"(=> {given} {fact})"


def _same(a: str, b: str) -> str:
    return f"(= {a} {b})"


def _term(place: int) -> str:
    return _bits("terms", 16 * place, 16)


def _terms(end: str) -> str:
    written = (_same(_entry("terms", i), _term(i)) for i in range(_MOST))
    return _both(*(_if(_below(i, end), fact) for i, fact in enumerate(written)))


def _sum(end: str, count: int) -> str:
    """Return that total is the sum of so many terms, if that is where it ends."""
    return _if(_same(_n(end), _value(count)), _same(_n("dut.total"), _bits("sums", 31 * count, 31)))


_INDEX: Final = f"(concat #b0 {_n('dut.index')})"
_ADDS: Final = f"(bvult {_n('spent')} {_n('count')})"
_DIVIDES: Final = _same(_n("spent"), _n("count"))
_GIVES: Final = f"(bvugt {_n('spent')} {_n('count')})"


def _step(number: int) -> str:
    return _same(_n("dut.step"), _value(number, 2))


def _invariant() -> dict[str, str]:
    """Return the parts of the invariant, in SMT-LIB, over a state {s}, by what they say."""
    held = (
        _both(
            _same(_entry("codes", i), _bits("codes", _CODE * i, _CODE)),
            _same(_entry("shown", i), _bits("marks", i, 1)),
        )
        for i in range(_MOST)
    )
    none, nothing = _value(0), _same(_n("at"), _value(0))
    same = (
        _same(_n("dut.found"), _n("any")),
        _if(_n("any"), _same(_n("dut.top"), _n("largest"))),
        _same(_n("dut.numbers"), _n("numbers")),
    )
    waits = {
        "a row that waits has codes": _both(
            f"(bvugt {_n('count')} {none})",
            f"(bvule {_n('count')} {_value(_MOST)})",
            f"(bvule {_n('spent')} (bvadd {_n('count')} {_value(1)}))",
            f"(bvult {_n('at')} {_n('count')})",
        ),
        "its last place": _same(
            f"(concat #b0 {_n('dut.last')})", f"(bvsub {_n('count')} {_value(1)})"
        ),
        "the place of the term that is added": _if(
            _ADDS, _both(_step(1), _same(_INDEX, _n("spent")), nothing)
        ),
        "the terms so far": _if(_ADDS, _terms("spent")),
        "the cycle of the quotient": _if(_DIVIDES, _both(_step(2), _same(_INDEX, none), nothing)),
        "all terms, for the quotient": _if(_DIVIDES, _terms("count")),
        "the place of the result": _if(_GIVES, _both(_step(3), _same(_INDEX, _n("at")))),
        "all terms, for the results": _if(_GIVES, _terms("count")),
        "the quotient of the sum": _if(_GIVES, _same(_n("dut.factor"), _n("factor"))),
    }
    for count in range(1, _MOST + 1):
        waits[f"the sum of {count} so far"] = _if(_ADDS, _sum("spent", count))
        waits[f"the sum of all {count}"] = _if(_DIVIDES, _sum("count", count))
    begins = _both(
        _step(0),
        _same(_INDEX, _n("place")),
        f"(bvult {_n('place')} {_value(_MOST)})",
    )
    return {
        "ok": _n("ok"),
        "the codes of a row": _both(
            *(_if(_below(i, "place"), fact) for i, fact in enumerate(held))
        ),
        "the largest code and the numbers of a row": _if(
            f"(not {_same(_n('place'), none)})", _both(*same)
        ),
        "a row that comes in": _if(f"(not {_n('open')})", begins),
        **{name: _if(_n("open"), fact) for name, fact in waits.items()},
    }


@dataclass
class Rows:
    """softmax.sv with its scoreboard, as a part of the proof of softmax.

    Attributes:
        sources: softmax.sv.
    """

    sources: tuple[Path, ...]
    module: str = "softmax_formal"
    parameters: Mapping[str, int] = field(default_factory=lambda: dict(PARAMETERS))
    assumed: tuple[str, ...] = (
        f"rows of at most {_MOST} codes; exponential, quotient and softmax_core are any functions",
    )

    @property
    def count(self) -> int:
        """How many goals there are."""
        return sum(1 for _ in _goals())

    def verdicts(self, timeout: float) -> list[Verdict]:
        """Decide base and step, until a goal is not proven; ``timeout`` in seconds for each query.

        Raises:
            FileFormatError: yosys refuses a file.
            MissingToolError: no yosys.
        """
        sources = (*self.sources, RTL_TB / "formal" / "softmax_formal.sv")
        finish = ("memory -nomap -nordff", "opt_clean")
        text = _declared() + yosys.smt2(sources, self.module, self.parameters, finish)
        found = []
        for name, facts in _goals():
            found.append(_decide(name, text, facts, timeout))
            if found[-1].status != "proven":
                break
        return found


def _declared() -> str:
    lines = []
    for name, (*operands, value) in _OPEN.items():
        sorts = " ".join(f"(_ BitVec {bits})" for bits in operands)
        lines.append(f"(declare-fun {name} ({sorts}) (_ BitVec {value}))")
    return "\n".join([*lines, ""])


def _goals() -> Iterator[tuple[str, list[str]]]:
    """Yield what is proved: its name, and facts about s0 and s1 that must have no model."""
    parts = _invariant()
    before, reset = _both(*parts.values()).format(s="s0"), "(|top_n rst| s0)"
    everything = _both(*parts.values()).format(s="s1")
    yield "after a reset", [reset, f"(not {everything})"]
    running, waits = f"(not {reset})", "(|top_n open| s0)"
    given = [before, running, waits]
    still = {
        name: _same(*(f"(|top_n {name}| {s})" for s in ("s1", "s0"))) for name in _HELD + _MADE
    }
    for name in _HELD:
        yield f"a row that waits stays: {name}", [*given, f"(not {still[name]})"]
    known = [still[name] for name in _HELD]
    for name in _MADE:
        yield f"so does what is made of it: {name}", [*known, f"(not {still[name]})"]
        known.append(still[name])
    for place in range(_MOST):
        now = _both(_ADDS, _same(_n("spent"), _value(place))).format(s="s0")
        written = _if(now, _same(_n("dut.term"), _term(place)).format(s="s0"))
        yield f"the term that is written at {place}", [*given, f"(not {written})"]
        known.append(written)
    for name, part in parts.items():
        wrong = f"(not {part.format(s='s1')})"
        comes = [before, running, f"(not {waits})", wrong]
        yield f"{name}, after a cycle that takes codes", comes
        yield f"{name}, while a row waits", [*given, *known, wrong]


def _decide(goal: str, text: str, facts: Sequence[str], timeout: float) -> Verdict:
    start = time.perf_counter()
    lines = [text, "(declare-const s0 |top_s|)", "(declare-const s1 |top_s|)"]
    lines += ["(assert (|top_t| s0 s1))", "(assert (|top_h| s0))", "(assert (|top_h| s1))"]
    lines += [f"(assert {fact})" for fact in facts]
    solver: Any = z3.Solver()
    solver.set("timeout", max(int(timeout * 1000), 1))
    solver.add(z3.parse_smt2_string("\n".join(lines)))
    status = solver.check()
    word: Status = "proven" if status == z3.unsat else "not proven"
    return Verdict(goal, word, time.perf_counter() - start)
