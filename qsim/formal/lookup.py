"""The last step of the proof of lookup: from memory addresses to ``hw_models.lookup``.

Induction proves of the RTL that a read returns what was last loaded at its address. Here it is
proved that this is the definition's entry, for every table and every code, if the host loads in
the order that ``hw_models.lookup`` and the RTL's header state: entry ``i`` at address
``(input.min + i) mod 2**bits``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

import z3

from hw_models.lookup import reference
from qsim.formal.goal import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hw_models.formats import FixedFormat
    from qsim.formal.goal import Status


class _Table:
    """A table of free entries, read at an index that is a bit-vector."""

    def __init__(self, index_bits: int, entry_bits: int) -> None:
        index, entry = z3.BitVecSort(index_bits), z3.BitVecSort(entry_bits)
        self.entries = z3.Array("table", index, entry)

    def __getitem__(self, index: Any) -> Any:
        return z3.Select(self.entries, index)


def loaded_in_order(
    codes: FixedFormat, output: FixedFormat, timeout: float, first: int | None = None
) -> Verdict:
    """Prove that a read at a code's bits is the definition's entry.

    Args:
        codes: the format of the input.
        output: the format of the entries.
        timeout: seconds.
        first: the address of entry 0; that of the smallest code where it is not given.
    """
    start = time.perf_counter()
    width = codes.bits + 2  # holds a code less the smallest one
    table = _Table(width, output.bits)
    memory = z3.Array("memory", z3.BitVecSort(codes.bits), z3.BitVecSort(output.bits))
    origin = codes.min if first is None else first
    solver: Any = z3.Solver()
    solver.set("timeout", max(int(timeout * 1000), 1))
    for i in range(codes.max - codes.min + 1):
        address = z3.BitVecVal((origin + i) % (1 << codes.bits), codes.bits)
        solver.add(z3.Select(memory, address) == table[z3.BitVecVal(i, width)])
    bits = z3.BitVec("code", codes.bits)
    extend = z3.SignExt if codes.signed else z3.ZeroExt
    x = extend(2, bits)
    expected: Any = reference(x, cast("Sequence[int]", table), codes)
    solver.add(x >= codes.min, x <= codes.max, z3.Select(memory, bits) != expected)
    word: Status = "proven" if solver.check() == z3.unsat else "not proven"
    goal = "every code reads its entry, of every table loaded in order"
    return Verdict(goal, word, time.perf_counter() - start)
