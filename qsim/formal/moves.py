"""The proof of move.sv, which strided_slice, permute and gather run on.

Its control is proved over time, on a small elaboration, with the invariant below
(``induction.py``): which results come out, in which order, and that each is the code at its
address. Addresses and counters, which have no clock, are proved here at the widths of calls.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import z3

from qsim.formal import yosys
from qsim.formal.circuit import parse
from qsim.formal.goal import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from qsim.formal.circuit import Circuit
    from qsim.formal.goal import Status

# What the scoreboard is proved with: every reachable state of the counters, with few of them.
PARAMETERS: Final[Mapping[str, int]] = {
    "CODE_W": 2, "ADDRESS_W": 3, "TABLE_W": 2, "DIMENSIONS": 2, "VALUE_W": 3,
}  # fmt: skip
_REGISTERS: Final = ("lasts", "strides", "base", "gathered")
_SAME: Final = "\n ".join(f"(= (|top_n dut.{n}| {{s}}) (|top_n {n}| {{s}}))" for n in _REGISTERS)
# In SMT-LIB, over a state {s}: the pipeline holds the indices that follow the result that is out.
INVARIANT: Final = f"""(and {_SAME}
 (=> (|top_n dut.found| {{s}}) (and (|top_n more| {{s}})
  (= (|top_n dut.passed| {{s}}) (|top_n after| {{s}}))
  (= (|top_n dut.found_last| {{s}}) (|top_n over| {{s}}))))
 (=> (and (|top_n dut.found| {{s}}) (|top_n slot_known| {{s}}) (|top_n looks| {{s}}))
  (= (|top_n dut.entry| {{s}}) (|top_n slot_value| {{s}})))
 (= (|top_n dut.counting| {{s}})
  (and (|top_n more| {{s}}) (not (and (|top_n dut.found| {{s}}) (|top_n over| {{s}})))))
 (=> (|top_n dut.counting| {{s}}) (= (|top_n dut.index| {{s}})
  (ite (|top_n dut.found| {{s}}) (|top_n following| {{s}}) (|top_n after| {{s}}))))
 (=> (|top_n known| {{s}})
  (= (select (|top_m dut.codes| {{s}}) (|top_n watched| {{s}})) (|top_n value| {{s}})))
 (=> (|top_n slot_known| {{s}})
  (= (select (|top_m dut.positions| {{s}}) (|top_n slot| {{s}})) (|top_n slot_value| {{s}}))))"""
# Of the first cycle: nothing is known of the memories, and the registers hold the same anything.
FRESH: Final = (
    f"(not (|top_n known| s0)) (not (|top_n slot_known| s0)) {_SAME.format(s='s0')}".replace(
        "\n", ""
    )
)


def arithmetic(
    sources: Sequence[Path], parameters: Mapping[str, int], timeout: float
) -> list[Verdict]:
    """Prove the addresses and the counters at the widths of a call.

    Args:
        sources: the files of move.sv.
        parameters: of the call's unit.
        timeout: seconds for each query to the solver.

    Raises:
        FileFormatError: yosys refuses a file.
    """
    bits, count = parameters["ADDRESS_W"], parameters["DIMENSIONS"]
    return [
        _decide(
            f"address = (base + sum(index * stride)) mod 2**{bits}, {count} dimensions",
            _circuit(sources, "move_address", {"ADDRESS_W": bits, "DIMENSIONS": count}),
            lambda circuit: _address(circuit, bits, count),
            timeout,
        ),
        _decide(
            f"the index that follows in C order, {count} dimensions of up to 2**{bits}",
            _circuit(sources, "move_counters", {"COUNT_W": bits, "DIMENSIONS": count}),
            lambda circuit: _next(circuit, bits, count),
            timeout,
        ),
    ]


def _circuit(sources: Sequence[Path], core: str, parameters: Mapping[str, int]) -> Circuit:
    (file,) = (path for path in sources if path.stem == core)
    return parse(yosys.smt2([file], core, parameters))


def _words(name: str, bits: int, count: int) -> list[Any]:
    return [z3.BitVec(f"{name}{d}", bits) for d in range(count)]


def _packed(words: Sequence[Any]) -> Any:
    return z3.Concat(*reversed(words)) if len(words) > 1 else words[0]


def _address(circuit: Circuit, bits: int, count: int) -> tuple[Any, Any]:
    """Return the address, and what it must be: in integers that nothing wraps, then modulo."""
    base = z3.BitVec("base", bits)
    index, strides = (_words(name, bits, count) for name in ("index", "stride"))
    wide = bits + 4
    total = z3.ZeroExt(wide, base)
    for i, stride in zip(index, strides, strict=True):
        total += z3.ZeroExt(wide, i) * z3.SignExt(wide, stride)
    given = {"base": base, "index": _packed(index), "strides": _packed(strides)}
    return circuit.apply("address", given), z3.Extract(bits - 1, 0, total)


def _next(circuit: Circuit, bits: int, count: int) -> tuple[Any, Any]:
    """Return the next index with its end, and what they must be, a counter at a time."""
    index, lasts = (_words(name, bits, count) for name in ("index", "last"))
    at_end = [i == last for i, last in zip(index, lasts, strict=True)]
    moved = [
        z3.If(z3.And(at_end[d + 1 :]), z3.If(at_end[d], z3.BitVecVal(0, bits), i + 1), i)
        for d, i in enumerate(index)
    ]
    ending = z3.If(z3.And(at_end), z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))
    given = {"index": _packed(index), "lasts": _packed(lasts)}
    made = z3.Concat(circuit.apply("ending", given), circuit.apply("next", given))
    return made, z3.Concat(ending, _packed(moved))


def _decide(
    goal: str,
    circuit: Circuit,
    pair: Callable[[Circuit], tuple[Any, Any]],
    timeout: float,
) -> Verdict:
    start = time.perf_counter()
    made, wanted = pair(circuit)
    solver: Any = z3.SolverFor("QF_BV")
    solver.set("timeout", max(int(timeout * 1000), 1))
    solver.add(made != wanted)
    status = solver.check()
    if status != z3.sat:
        word: Status = "proven" if status == z3.unsat else "not proven"
        return Verdict(goal, word, time.perf_counter() - start)
    model = solver.model()
    values = {name.name(): int(model[name].as_long()) for name in model.decls()}
    expected, actual = (
        int(model.eval(term, model_completion=True).as_long()) for term in (wanted, made)
    )
    seconds = time.perf_counter() - start
    values = dict(sorted(values.items()))
    return Verdict(goal, "counterexample", seconds, 0, values, expected, actual)
