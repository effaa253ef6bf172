"""What installed packages bring as entry points: primitives, patterns and passes, loaded once.

Which modules are imported is said by what is installed: no file can name one.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from qsim.errors import UsageError
from qsim.registry import passes, patterns, primitives
from qsim.registry.binding import Binding
from qsim.registry.passes import Pass
from qsim.registry.pattern import Pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import EntryPoint

GROUPS: Final = ("qsim.primitives", "qsim.patterns", "qsim.passes")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
# The names that docs/extending.md gives to what each kind is made of.
_WANTED: Final[dict[type, str]] = {
    Binding: "a qsim.binding.Binding",
    Pattern: "a qsim.patterns.pattern.Pattern",
    Pass: "a qsim.quantizer.pass_order.Pass",
}
_T = TypeVar("_T")
_loaded: set[EntryPoint] = set()
# Where packages are looked for, and when something was last installed there: by group, as it was
# when its entry points were last read. Reading them takes a tenth of quantizing a small network.
_State: TypeAlias = tuple[tuple[str, int], ...]
_read: dict[str, _State] = {}


def add_primitive(name: str, binding: object) -> None:
    """Register a primitive after checks of its name and type."""
    check_name("primitive", name)
    primitives.register(name, _checked("primitive", name, binding, Binding))


def add_pattern(pattern: object) -> None:
    """Register a pattern after checks of its name and type."""
    found = _checked("pattern", getattr(pattern, "name", "?"), pattern, Pattern)
    check_name("pattern", found.name)
    patterns.register(found)


def has_primitive(name: str) -> bool:
    """Return whether an extension brings a primitive; entry points are loaded if need be.

    Raises:
        UsageError: an entry point cannot be loaded.
    """
    if not primitives.is_registered(name):
        load("qsim.primitives")
    return primitives.is_registered(name)


def load(*groups: str) -> None:
    """Register what installed packages offer as entry points of the groups (all of them), once.

    Raises:
        UsageError: an entry point cannot be imported or is not what its group says; names it.
    """
    state = tuple((folder, _changed(folder)) for folder in sys.path)
    unread = [group for group in groups or GROUPS if _read.get(group) != state]
    for point in _points(unread) if unread else ():
        if point not in _loaded:
            _add(point, _import(point))
            _loaded.add(point)
    _read.update(dict.fromkeys(unread, state))


def check_name(kind: str, name: object) -> None:
    """Require a name for a primitive, a pattern or a pass."""
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise UsageError(
            f"is named {name!r:.80}",
            where=kind,
            accepted="1 to 64 of a-z, 0-9 and '_', the first a letter",
        )


def _changed(folder: str) -> int:
    """Return when a package was last installed into a folder or taken out of it; 0 for none."""
    try:
        return Path(folder).stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


def _points(groups: Iterable[str]) -> Iterator[EntryPoint]:
    from importlib.metadata import entry_points

    found = entry_points()
    for group in groups:
        yield from sorted(found.select(group=group), key=lambda point: (point.name, point.value))


def _add(point: EntryPoint, value: Any) -> None:
    try:
        _register(point.group, point.name, value)
    except UsageError as error:
        raise UsageError.placed(error, _place(point)) from None


def _register(group: str, name: str, value: object) -> None:
    if group == "qsim.primitives":
        add_primitive(name, value)
    elif group == "qsim.patterns":
        add_pattern(value)
    elif group == "qsim.passes":
        passes.register(_checked("pass", name, value, Pass))
    else:
        raise UsageError(f"{group!r} is no group of extensions", accepted=", ".join(GROUPS))


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


def _checked(kind: str, name: object, value: object, wanted: type[_T]) -> _T:
    if not isinstance(value, wanted):
        raise UsageError(
            f"is a {type(value).__name__}",
            where=f"{kind} {name!r:.80}",
            accepted=_WANTED[wanted],
        )
    return value
