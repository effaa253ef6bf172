"""What ``rtl_tb/dut/qsim_watch.sv`` saw on the nets of somebody else's design, in its ports' names.

The format is in that file's header; it is read strictly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, assert_never, get_args

from qsim.cosim.lanes.interface import Problem, ProblemKind, SimulationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from qsim.cosim.simulators import Handshake, Watched

Rule: TypeAlias = Literal["unknown", "withdrawn", "changed", "reset", "surplus", "last"]
_KINDS: Final[Mapping[Rule, ProblemKind]] = {
    "unknown": "unknown",
    "withdrawn": "dropped",
    "changed": "unstable",
    "reset": "reset",
    "surplus": "extra",
    "last": "last",
}
_RULE: Final = re.compile(
    rf"rule ({'|'.join(get_args(Rule))}) (\d+) (\d+) ([01xz]+|-) ([01xz]+|-)", re.ASCII
)
_STATE: Final = re.compile(r"state ([01xz]) ([01xz])" + r" (\d+)" * 4, re.ASCII)
_PERIOD: Final = 10  # ns, of a cycle of either bench


@dataclass(frozen=True, slots=True)
class State:
    """A handshake when the simulation ended.

    Attributes:
        handshake: which.
        valid, ready: levels at the last edge: 0, 1, x or z.
        since: the cycle since which they have not moved.
        outstanding: of an output: operations without a result.
        paused, held: cycles between beats without valid, and with valid that waited for ready.
    """

    handshake: Handshake
    valid: str
    ready: str
    since: int
    outstanding: int
    paused: int
    held: int

    def stalls(self) -> dict[str, int]:
        """Return what waited, in cycles, in the names of the ports."""
        names, found = self.handshake, {}
        if names.valid:
            found[f"{names.valid} paused"] = self.paused
        if names.valid and names.ready:
            found[f"{names.valid} held up by {names.ready}"] = self.held
        return found

    def stuck(self) -> str:
        """Return what this handshake waits for, or nothing."""
        names, since = self.handshake, f"since cycle {self.since}"
        if self.valid == "1" and self.ready != "1":
            if names.busy:
                return f"{names.ready} has held {names.valid} back {since}"
            return f"{names.valid} has waited for {names.ready} {since}"
        if names.output and self.outstanding:
            many = "s" if self.outstanding > 1 else ""
            level = {"0": "inactive", "1": "active"}.get(self.valid, self.valid)
            told = (
                f"{self.outstanding} operation{many} in the design, {names.valid} {level} {since}"
            )
            if self.ready == "0":
                told += f" with {names.ready} inactive, for which it must not wait"
            return told
        return ""


def read_watch(folder: Path, watched: Watched, zero: int) -> tuple[list[Problem], list[State]]:
    """Return the rules that a design broke, and its handshakes at the end.

    Args:
        folder: where the simulation ran.
        watched: what was watched.
        zero: time of cycle 0, in ns.

    Raises:
        SimulationError: a watcher left no file, or one that it does not write.
    """
    problems, states = [], []
    for number, handshake in enumerate(watched.handshakes):
        try:
            text = (folder / f"watch.{number}.txt").read_text(encoding="ascii").lower()
        except (OSError, UnicodeError):
            raise SimulationError("the simulator ended before its watchers did") from None
        *rules, state, end = text.splitlines() if text.count("\n") > 1 else ["", ""]
        if end != "end":
            raise SimulationError("the simulator ended before its watchers did")
        problems += [_problem(handshake, line, zero) for line in rules]
        states.append(_state(handshake, state, zero))
    return problems, states


def _state(handshake: Handshake, line: str, zero: int) -> State:
    found = _STATE.fullmatch(line)
    if found is None:
        raise SimulationError(f"a watcher's result has a line {line[:80]!r}")
    since = (int(found[3]) - zero) // _PERIOD
    return State(handshake, found[1], found[2], since, *(int(found[i]) for i in (4, 5, 6)))


def _problem(handshake: Handshake, line: str, zero: int) -> Problem:
    found = _RULE.fullmatch(line)
    if found is None:
        raise SimulationError(f"a watcher's result has a line {line[:80]!r}")
    rule: Rule = next(name for name in get_args(Rule) if name == found[1])
    cycle, times = (int(found[2]) - zero) // _PERIOD, int(found[3])
    when = f"cycle {cycle}" + (f", the first of {times} times" if times > 1 else "")
    return Problem(_KINDS[rule], cycle, f"{_told(handshake, rule, found[4], found[5])} ({when})")


def _told(names: Handshake, rule: Rule, before: str, now: str) -> str:
    match rule:
        case "unknown":
            if names.output:
                return f"{names.valid} is x or z"
            if names.busy:
                return f"{names.ready} is x or z while an operation waits for {names.valid}"
            return f"{names.ready} is x or z while {names.valid} is active"
        case "withdrawn":
            return f"{names.valid} was taken back before {names.ready} came"
        case "changed":
            moved = "; ".join(_changes(names, before, now))
            return f"{moved} while {names.valid} waited for {names.ready}"
        case "reset":
            return f"{names.valid} is active, or unknown, at the end of reset"
        case "surplus":
            return f"{names.valid} gave a result that no operation asked for"
        case "last":
            return f"{names.last} is {now}, not {before}, with a result"
        case _:
            assert_never(rule)


def _changes(names: Handshake, before: str, now: str) -> list[str]:
    """Return what each port was and is, of those that changed; the lowest bits are the last."""
    ports = [*names.data, (names.last, 1)]  # last is above data
    changes, end = [], len(now)
    if len(before) != len(now) or len(now) != sum(bits for _, bits in ports):
        raise SimulationError(f"a watcher's result has {len(now)} bits, not those of its ports")
    for port, bits in ports:
        old, new = before[end - bits : end], now[end - bits : end]
        if old != new:
            changes.append(f"{port} changed from {_shown(old)} to {_shown(new)}")
        end -= bits
    return changes


def _shown(bits: str) -> str:
    """Return bits in hexadecimal, or as they are where some are unknown."""
    return f"0b{bits}" if bits.strip("01") else f"0x{int(bits, 2):0{-(-len(bits) // 4)}x}"
