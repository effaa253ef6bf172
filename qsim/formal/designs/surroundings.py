"""What a proof assumes of a design and of what is around it, in words for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsim.cosim.dut import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.cosim.dut import Dut


def plain(dut: Dut) -> Mapping[str, Any]:
    """Return the parameters of a design as reports show them."""
    return {name: v if isinstance(v, int) else literal(v) for name, v in dut.parameters.items()}


def surroundings(dut: Dut, *, registered: bool) -> tuple[tuple[str, str], ...]:
    """Return pairs of a word and what it says: what is tied, what may be anything."""
    rows = []
    cycles = f"{dut.latency} cycle{'s' * (dut.latency != 1)}"
    when = f"the result is on its port {cycles} after its operands"
    rows.append(("latency", when if dut.latency else "the result is on its port at once"))
    if dut.tie:
        ties = ", ".join(f"{name} = {wide.value}" for name, wide in dut.tie.items())
        rows.append(("tied", ties))
    if registered or dut.latency:
        rows.append(("before it", _state(dut)))
    if passed := _passed_over(dut):
        files = ", ".join(passed)
        rows.append(("not read", f"what {files} has behind translate_off: yosys passes it over"))
    if dut.static:
        names = ", ".join(dut.static)
        rows.append(("static", f"{names}: unchanged from {dut.settle} cycles before the operation"))
    if dut.interval > 1:
        rows.append(("interval", f"no other operation within {dut.interval} cycles"))
    return tuple(rows)


def _passed_over(dut: Dut) -> list[str]:
    """Return the sources with lines that yosys does not read and simulators do."""
    return [path.name for path in dut.sources if b"translate_off" in path.read_bytes()]


def _state(dut: Dut) -> str:
    text = "registers hold anything, ports have anything in other cycles; "
    if dut.reset:
        return f"{text}{dut.reset} is not active (what it, or initial, sets for good is set)"
    return f"{text}there is no reset (what initial sets for good is set)"
