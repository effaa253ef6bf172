"""Primitives, patterns and passes of one's own, registered from outside the package.

    qsim.extend.register_primitive("gate", BINDING)       # qsim.program.bindings.binding.Binding
    qsim.extend.register_pattern(PATTERN)                  # qsim.patterns.Pattern
    qsim.extend.register_pass("find_gate", find_gate, before="fold_constants")

The same objects can be *entry points* of an installed package, in the groups ``qsim.primitives``,
``qsim.patterns`` and ``qsim.passes``. They are loaded when a model is quantized or lowered;
primitives alone (which need no torch) when a target names one that the package does not have; none
before. Which modules are imported is said by what is installed: no file can name one.

docs/extending.md has a worked example.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

    from qsim.patterns import Pattern
    from qsim.program.bindings.binding import Binding
    from qsim.quantizer.pass_order import GraphPass

GROUPS: Final = ("qsim.primitives", "qsim.patterns", "qsim.passes")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_loaded: set[EntryPoint] = set()


def register_primitive(name: str, binding: Binding) -> None:
    """Add a primitive: its name in targets and Programs, its attributes and the code that runs it.

    Raises:
        UsageError: not a name or not a Binding, or another primitive has the name.
    """
    from qsim.program import primitives
    from qsim.program.bindings.binding import Binding

    _check_name("primitive", name)
    _check_type("primitive", name, binding, Binding)
    primitives.register(name, binding)


def register_pattern(pattern: Pattern) -> None:
    """Add a lowering pattern; it is asked before the built-in ones.

    Raises:
        UsageError: not a Pattern, or another pattern has its name.
    """
    from qsim.patterns import Pattern, registry

    _check_type("pattern", getattr(pattern, "name", "?"), pattern, Pattern)
    _check_name("pattern", pattern.name)
    registry.register(pattern)


def register_pass(
    name: str, run: GraphPass, *, before: str | None = None, after: str | None = None
) -> None:
    """Add a rewrite of the exported graph, at a place in the order of ``qsim.quantizer.passes``.

    Args:
        name: unique.
        run: takes the graph module, which it changes, and the target. New nodes need no metadata:
            shapes are found afterwards.
        before: the pass that it runs right before; or
        after: the pass that it runs right after. Without either it runs last.

    Raises:
        UsageError: not a name or not callable, both places, or another pass has the name.
    """
    from qsim.quantizer.pass_order import Pass, register

    _check_name("pass", name)
    register(Pass(name, run, before=before, after=after))


def has_primitive(name: str) -> bool:
    """Return whether an extension brings a primitive; entry points are loaded if need be.

    Raises:
        UsageError: an entry point cannot be loaded.
    """
    from qsim.program import primitives

    if not primitives.is_registered(name):
        load("qsim.primitives")
    return primitives.is_registered(name)


def load(*groups: str) -> None:
    """Register what installed packages offer as entry points of the groups (all of them), once.

    Raises:
        UsageError: an entry point cannot be imported or is not what its group says; names it.
    """
    for point in _points(groups or GROUPS):
        if point not in _loaded:
            _add(point, _import(point))
            _loaded.add(point)


def _points(groups: tuple[str, ...]) -> Iterator[EntryPoint]:
    from importlib.metadata import entry_points

    for group in groups:
        yield from sorted(entry_points(group=group), key=lambda point: (point.name, point.value))


def _add(point: EntryPoint, value: Any) -> None:
    from qsim.quantizer.pass_order import Pass, register

    try:
        if point.group == "qsim.primitives":
            register_primitive(point.name, value)
        elif point.group == "qsim.patterns":
            register_pattern(value)
        else:
            _check_type("pass", point.name, value, Pass)
            register(value)
    except UsageError as error:
        raise UsageError(error.message, where=_place(point), accepted=error.accepted) from None


def _import(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:
        lines = str(error).splitlines() or [""]
        raise UsageError(
            f"cannot be imported: {type(error).__name__}: {lines[0][:200]}",
            where=_place(point),
            accepted="an extension that works, or none: uninstall the package",
        ) from error


def _place(point: EntryPoint) -> str:
    owner = "" if point.dist is None else f" of package {point.dist.name}"
    return f"entry point {point.name!r} in {point.group}{owner}"


def _check_name(kind: str, name: object) -> None:
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise UsageError(
            f"is named {name!r:.80}",
            where=kind,
            accepted="1 to 64 of a-z, 0-9 and '_', the first a letter",
        )


def _check_type(kind: str, name: object, value: object, wanted: type) -> None:
    if not isinstance(value, wanted):
        raise UsageError(
            f"is a {type(value).__name__}",
            where=f"{kind} {name!r:.80}",
            accepted=f"a {wanted.__module__}.{wanted.__name__}",
        )
