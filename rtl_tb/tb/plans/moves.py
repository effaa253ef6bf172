"""What is to be covered of the moves, which run on one module: strided_slice, permute, gather."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtl_tb.tb.coverage import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rtl_tb.tb.coverage import Parameters
    from rtl_tb.tb.job import Values

# By the number in the field `kind`.
_KINDS: Final = ("code", "position", "register", "start")
COMMON: Final = ("code", "register", "start", "forward", "several_dimensions", "several_results")


def plan(*own: str) -> Plan:
    """Return the plan of a primitive: the bins that all have, and its own."""
    wanted = (*COMMON, *own)

    def sample(
        beats: Sequence[Values], results: Sequence[Values], parameters: Parameters
    ) -> Iterator[str]:
        """Yield the bins that one START reaches, with what was written before it."""
        for name in (*_written(beats, parameters), *_made(results)):
            if name in wanted:
                yield name

    return Plan(bins=wanted, sample=sample, packets=True)


def _written(beats: Sequence[Values], parameters: Parameters) -> Iterator[str]:
    registers: dict[int, int] = {}
    positions: list[int] = []
    for beat in beats:
        kind, address, value = (beat[name][0] for name in ("kind", "address", "value"))
        yield _KINDS[kind]
        if kind == 1:
            positions.append(value)
        elif kind == 2:
            registers[address] = value
    if registers:
        yield from _read(registers, parameters)
    if positions:
        yield from _picked(positions)


def _read(registers: dict[int, int], parameters: Parameters) -> Iterator[str]:
    count = parameters["DIMENSIONS"]
    half = 1 << (parameters["ADDRESS_W"] - 1)
    strides = [registers[count + d] for d in range(count) if registers[d]]
    if len(strides) > 1:
        yield "several_dimensions" if len(strides) < count else "all_dimensions"
    for stride in strides:
        yield "backward" if stride >= half else "forward" if stride else "repeated"
    if strides != sorted(strides, reverse=True):
        yield "out_of_order"
    if registers[2 * count]:
        yield "base"


def _picked(positions: Sequence[int]) -> Iterator[str]:
    if len(set(positions)) < len(positions):
        yield "position_again"
    if 0 in positions:
        yield "first_position"
    if list(positions) != sorted(positions):
        yield "positions_fall"


def _made(results: Sequence[Values]) -> Iterator[str]:
    yield "one_result" if len(results) == 1 else "several_results"
