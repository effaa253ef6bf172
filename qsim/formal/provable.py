"""What there is to prove about a primitive: of a target, or of a program's layers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

from qsim.cosim.simulators import RTL
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from qsim.cosim.jobs import Unit
    from qsim.formal.goal import Verdict
    from qsim.formal.run import Task
    from qsim.network import Lowered
    from qsim.program import Call, Program
    from qsim.target import Target

# Primitive to the module that makes its tasks; loaded when asked, for they load z3.
PROVABLE: Final[Mapping[str, str]] = {
    "requantize": "qsim.formal.requantize",
    "bias_add": "qsim.formal.bias_add",
    "add": "qsim.formal.add",
    "softmax": "qsim.formal.softmax",
    "integer_function": "qsim.formal.integer_function",
    "rotary": "qsim.formal.rotary",
}
# Of these what is combinational is proved, module by module: see ``qsim.formal.norms``.
IN_PARTS: Final = ("layer_norm", "group_norm", "rms_norm")
# Of these the tasks are followed by parts that no constant enters.
_PARTS: Final[Mapping[str, str]] = {"softmax": "qsim.formal.softmax"}


class Provable(Protocol):
    """A part of a proof: a module with goals that no constant of a layer enters."""

    @property
    def module(self) -> str:
        """Its name."""

    @property
    def parameters(self) -> Mapping[str, int]:
        """Those of the module."""

    @property
    def assumed(self) -> tuple[str, ...]:
        """What the goals assume, in words."""

    @property
    def count(self) -> int:
        """How many goals there are."""

    def verdicts(self, timeout: float) -> list[Verdict]:
        """Decide the goals; ``timeout`` in seconds for each query to the solver."""


def parts_of(primitive: str, target: Target, rtl: Path | None) -> Sequence[Provable]:
    """Return the parts of a primitive's proof: of ``IN_PARTS`` all of it, of others what follows.

    Raises:
        UsageError: a scheme or a file that there is no proof for.
    """
    made: Sequence[Provable] = ()
    if primitive in IN_PARTS:
        made = import_module("qsim.formal.norms").parts(primitive, target, rtl)
    elif primitive in _PARTS:
        made = import_module(_PARTS[primitive]).parts(target, rtl)
    return made


def tasks(primitive: str, target: Target, lowered: Lowered | None, rtl: Path | None) -> list[Task]:
    """Return what there is to prove, one task per elaboration of the core.

    Args:
        primitive: a key of ``PROVABLE``.
        target: states the widths.
        lowered: the network whose layers' constants are meant; None for all constants.
        rtl: a folder or a file that replaces shipped RTL.

    Raises:
        UsageError: a primitive, a scheme or a file that there is no proof for.
    """
    if primitive not in PROVABLE:
        raise UsageError(f"no proof of {primitive!r}", accepted=", ".join(PROVABLE))
    made: list[Task] = import_module(PROVABLE[primitive]).tasks(target, lowered, rtl)
    return made


def calls_of(lowered: Lowered, primitive: str) -> list[tuple[Program, Call]]:
    """Return every call of a primitive.

    Raises:
        UsageError: the network has none.
    """
    found = [
        (program, call)
        for program in lowered.programs
        for call in program.calls
        if call.primitive == primitive
    ]
    if not found:
        raise UsageError(
            f"{lowered.model or 'the network'} has no {primitive}",
            where="--model",
            accepted="a model that has, or no --model",
        )
    return found


def elaboration(unit: Unit) -> tuple[Any, ...]:
    """Return what two units must share to be one."""
    return unit.module, *sorted(unit.parameters.items())


def sources_of(unit: Unit, rtl: Path | None) -> tuple[Path, ...]:
    """Return a unit's files: the shipped ones, or those that ``rtl`` replaces.

    Args:
        unit: names them.
        rtl: a folder with files of those names, or one file that replaces its namesake.

    Raises:
        UsageError: a file or folder that is missing, or holds nothing of this unit.
    """
    shipped = [RTL / name for name in unit.sources]
    if rtl is None:
        return tuple(shipped)
    own = [rtl / path.name if rtl.is_dir() else rtl for path in shipped]
    chosen = [
        mine if mine.name == path.name and mine.is_file() else path
        for mine, path in zip(own, shipped, strict=True)
    ]
    if chosen == shipped:
        raise UsageError(
            f"{rtl} holds no file of {unit.primitive}",
            where="--rtl",
            accepted=f"a folder with some of, or one of: {', '.join(unit.sources)}",
        )
    return tuple(chosen)
