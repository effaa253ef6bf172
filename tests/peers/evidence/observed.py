"""Which primitives a test calls, and under which contracts: what ``peer`` marks are held to.

The names that modules of tests/peers hold (functions of hw_models, or modules that have them) stand
for watched ones while a test runs; nothing else sees them.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

import hw_models as hw
from qsim.program import Program
from qsim.target import Target
from tests.peers.evidence.contracts import CALLS, Contract, of_target

TESTS = "tests.peers."
# Primitives that are calls of another function.
CALLED = {
    "requantize_linear": "requantize",
    "resize_scaled": "resize",
    "min_max": "choose_qparams",
    "choose_scale": "choose_qparams",
    "choose_zero_point": "choose_qparams",
}


@dataclass
class Seen:
    """What a test called.

    Attributes:
        contracts: of the calls of each primitive.
        programs: primitives of Programs whose codes were compared, and operators that many calls
            make together, by the target's name.
    """

    contracts: dict[str, set[Contract]] = field(default_factory=lambda: defaultdict(set))
    programs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def why_not(self, primitive: str, targets: tuple[str, ...]) -> str:
        """Return why the test says nothing of a primitive on these targets, or nothing."""
        in_programs = any(primitive in names for names in self.programs.values())
        called = self.contracts[CALLED.get(primitive, primitive)]
        if not called and not in_programs:
            return f"{primitive} was not called"
        for name in targets:
            if primitive in self.programs[name]:
                continue
            wanted = of_target(Target.load(name), primitive)
            if wanted not in called:
                given = " and ".join(map(str, sorted(called, key=str)))
                return f"{name} has {primitive} under {wanted}, the test called it under {given}"
        return ""


_now: list[Seen] = []


def compared(program: Program, target: Target) -> None:
    """Note that every code of a Program, lowered for a target, is compared in the running test."""
    for seen in _now:
        seen.programs[target.name] |= {call.primitive for call in program.calls}


def composed(operator: str, target: Target) -> None:
    """Note that the results of an operator, many calls on a target, are compared in the test."""
    for seen in _now:
        seen.programs[target.name].add(operator)


@contextmanager
def watching() -> Iterator[Seen]:
    """Watch what the modules of tests/peers call."""
    seen = Seen()
    replaced: list[tuple[dict[str, Any], str, Any]] = []
    for name, module in list(sys.modules.items()):
        if not name.startswith(TESTS) or name.startswith(f"{TESTS}evidence"):
            continue
        for key, value in list(vars(module).items()):
            watched = _watched(value, seen)
            if watched is not None:
                replaced.append((vars(module), key, value))
                vars(module)[key] = watched
    _now.append(seen)
    try:
        yield seen
    finally:
        _now.remove(seen)
        for names, key, value in replaced:
            names[key] = value


def _watched(value: Any, seen: Seen) -> Any:
    if isinstance(value, FunctionType) and _is_ours(value):
        return _recording(value, seen)
    if isinstance(value, ModuleType) and value.__name__.split(".")[0] == hw.__name__:
        return _Module(value, seen)
    return None


def _is_ours(function: FunctionType) -> bool:
    return function.__name__ in CALLS and function.__module__.startswith(hw.__name__)


def _recording(function: Callable[..., Any], seen: Seen) -> Callable[..., Any]:
    primitive, contract = CALLS[function.__name__]
    signature = inspect.signature(function)

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)  # what is refused is no comparison
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        seen.contracts[primitive].add(contract(bound.arguments))
        return result

    return called


class _Module:
    """A module whose primitives are watched."""

    def __init__(self, module: ModuleType, seen: Seen) -> None:
        self._of = module, seen

    def __getattr__(self, name: str) -> Any:
        module, seen = self._of
        value = getattr(module, name)
        return value if (watched := _watched(value, seen)) is None else watched
