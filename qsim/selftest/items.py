"""What the self-test computes: Programs with inputs, and what the definitions make of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qsim.selftest import chains, scalings, sums

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.program import Array, Program

# int8 codes, int32 sums.
_TARGET: Final = "tflite"
# Without requantize: scalings has every scheme of it.
_DIRECTED: Final = (
    *("add", "bias_add", "clamp", "lookup", "max_pool", "avg_pool"),
    *("correlation", "linear", "matmul"),
)
_MOST_ELEMENTS: Final = 4000  # of a directed vector: the long sum of correlation is left out


@dataclass(frozen=True, slots=True)
class Item:
    """A Program to be run.

    Attributes:
        name: for messages.
        program: one call, or a chain that the command stream makes one command of.
        inputs: one array each.
        expected: its only output, by the definitions in Python integers.
    """

    name: str
    program: Program
    inputs: tuple[Array, ...]
    expected: Array


def chosen(*, reduced: bool) -> Iterator[Item]:
    """Give the items whose kernels a processor decides; reduced: a few of each kind."""
    made = (
        *sums.vectors(sums.CHOSEN, reduced=reduced),
        *chains.vectors(reduced=reduced),
        *scalings.vectors(chosen=True, reduced=reduced),
    )
    for name, program, x, expected in made:
        yield Item(name, program, (x,), expected)


def everywhere(*, reduced: bool) -> Iterator[Item]:
    """Give the items whose kernels are the same on every processor."""
    made = (
        *sums.vectors(sums.EVERYWHERE, reduced=reduced),
        *scalings.vectors(chosen=False, reduced=reduced),
    )
    for name, program, x, expected in made:
        yield Item(name, program, (x,), expected)


def directed(*, reduced: bool) -> Iterator[Item]:
    """Give the directed vectors of golden sets, which take seconds to make."""
    from qsim.golden import program_of
    from qsim.golden.directed import cases
    from qsim.program import PRIMITIVES
    from qsim.target import Target

    target = Target.load(_TARGET)
    for primitive in _DIRECTED[1:5] if reduced else _DIRECTED:
        constant = PRIMITIVES[primitive].constant
        for case in cases(primitive, target, count=0)[:: 4 if reduced else 1]:
            if all(array.size <= _MOST_ELEMENTS for array in case.operands.values()):
                given = tuple(a for name, a in case.operands.items() if name not in constant)
                yield Item(case.name, program_of(case), given, case.expected)
