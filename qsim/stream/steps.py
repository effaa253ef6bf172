"""The steps of a Program as memory sees them: which tensors each reads and makes.

Sums that one call leaves in the accumulators for the next to take are in no memory: a correlation,
its bias, its requantize and the clamp behind it are one step, whatever computes them here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.program import ProgramData

_SUMS: Final = frozenset(
    {"correlation", "linear", "linear_pairs", "matmul", "transposed_correlation"}
)
# What may follow each call without a way through the memory.
_FOLLOWERS: Final = {
    **dict.fromkeys(_SUMS, ("bias_add", "requantize")),
    **dict.fromkeys(("linear", "linear_pairs"), ("bias_add", "requantize", "dequantize_sums")),
    "bias_add": ("requantize", "dequantize_sums"),
    "requantize": ("clamp",),
}


@dataclass(frozen=True, slots=True)
class Step:
    """What happens between two moments at which a tensor may begin or end to live.

    Attributes:
        kind: what ``name`` is: a layer, a call without one, or the input or output that is copied.
        name: module path, call or tensor.
        calls: the Program's calls, by index; none where the caller's arrays are copied.
        reads: tensors in memory that it reads; constants are none.
        write: the tensor that it makes, or "".
    """

    kind: Literal["layer", "call", "input", "output"]
    name: str
    calls: tuple[int, ...]
    reads: tuple[str, ...]
    write: str

    @property
    def label(self) -> str:
        """The step as errors name it."""
        return f"{self.kind} {self.name!r}"

    @property
    def uses(self) -> tuple[str, ...]:
        """What must have a place while it runs."""
        return (*self.reads, self.write) if self.write else self.reads


def steps(program: ProgramData) -> tuple[Step, ...]:
    """Return the steps: the inputs come in, calls one after another, the outputs go out."""
    readers: dict[str, list[int]] = {}
    for index, call in enumerate(program.calls):
        for name in call.inputs:
            readers.setdefault(name, []).append(index)
    done: set[int] = set()
    found = [Step("input", name, (), (), name) for name in program.inputs]
    for index in range(len(program.calls)):
        if index not in done:
            found.append(_step(program, _chain(program, index, readers)))
            done.update(found[-1].calls)
    return (*found, *(Step("output", name, (), (name,), "") for name in program.outputs))


def _chain(program: ProgramData, index: int, readers: dict[str, list[int]]) -> list[int]:
    """Return a call and those that take its sums, or its codes, before they reach the memory."""
    chain = [index]
    if program.calls[index].primitive not in _SUMS:
        return chain
    while True:
        call = program.calls[chain[-1]]
        following = readers.get(call.output, [])
        if len(following) != 1 or call.output in program.outputs:
            return chain
        follower = program.calls[following[0]]
        allowed = follower.primitive in _FOLLOWERS.get(call.primitive, ())
        if not allowed or follower.inputs[0] != call.output:
            return chain
        if not known_before(program, follower.inputs[1:], chain[0]):
            return chain
        chain.append(following[0])


def known_before(program: ProgramData, names: Sequence[str], index: int) -> bool:
    """Return whether tensors exist before a call is made."""
    there = {*program.constants, *program.inputs}
    there.update(call.output for call in program.calls[:index])
    return there.issuperset(names)


def _step(program: ProgramData, chain: list[int]) -> Step:
    calls = [program.calls[index] for index in chain]
    within = {call.output for call in calls[:-1]}
    reads = [name for call in calls for name in call.inputs if name not in within]
    reads = [name for name in dict.fromkeys(reads) if name not in program.constants]
    layer = next((call.layer for call in calls if call.layer), "")
    kind: Literal["layer", "call"] = "layer" if layer else "call"
    return Step(kind, layer or calls[0].name, tuple(chain), tuple(reads), calls[-1].output)
