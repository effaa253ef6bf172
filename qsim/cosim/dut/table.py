"""A table of a ``dut.toml``, read strictly: the field's name is in every error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import UsageError
from qsim.target import shown

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,127}")
# A port, or a signal of a port that is an interface.
PORT: Final = re.compile(rf"{NAME.pattern}(\.{NAME.pattern})?")
MISSING: Final = object()


class Table:
    """One table of the file: every field is asked for once; what nobody asked for is refused."""

    def __init__(self, data: object, where: str) -> None:
        if not isinstance(data, dict):
            raise UsageError(f"must be a table, not {shown(data)}", where=where)
        self.data, self.where = dict(data), where
        self.asked: list[str] = []

    def take(self, name: str, default: Any = MISSING) -> Any:
        """Return a field as it is; an error where it is missing and has no default."""
        self.asked.append(name)
        value = self.data.pop(name, default)
        if value is MISSING:
            raise UsageError(f"{name!r} is missing", where=self.where, accepted=f"{name} = ...")
        return value

    def refused(self, name: str, value: object, accepted: str) -> dict[str, str]:
        """Return the arguments of the error about a field."""
        message = f"{name} must not be {shown(value)}"
        return {"message": message, "where": self.where, "accepted": accepted}

    def table(self, name: str, default: Any = MISSING) -> Table:
        """Return a table in this one."""
        return Table(self.take(name, default), f"{self.where}: [{name}]")

    def identifier(self, name: str, default: Any = MISSING) -> str:
        """Return a name of Verilog; empty only where that is the default."""
        value = self.take(name, default)
        if value == "" and default == "":
            return ""
        if not isinstance(value, str) or not NAME.fullmatch(value):
            raise UsageError(**self.refused(name, value, "a Verilog identifier"))
        return value

    def port(self, name: str) -> str:
        """Return the name of a port, or of a signal of an interface; empty where there is none."""
        value = self.take(name, "")
        if value != "" and not (isinstance(value, str) and PORT.fullmatch(value)):
            raise UsageError(**self.refused(name, value, "a port's name"))
        return str(value)

    def ports(self, name: str) -> tuple[str, ...]:
        """Return the names of one port, or of one per lane."""
        value = self.take(name, MISSING)
        names = tuple(value) if isinstance(value, list) else (value,)
        if not names or not all(isinstance(n, str) and PORT.fullmatch(n) for n in names):
            raise UsageError(
                **self.refused(name, value, "a port's name, or a list of one per lane")
            )
        return names

    def integer(self, name: str, low: int, high: int, default: Any = MISSING) -> int:
        """Return an integer of low..high."""
        value = self.take(name, default)
        if type(value) is not int or not low <= value <= high:
            accepted = f"{low}..{high}" if low < high else str(low)
            raise UsageError(**self.refused(name, value, accepted))
        return value

    def size(self, name: str, high: int) -> int:
        """Return an integer of 1..high; 0 where the field is missing."""
        if name in self.data:
            return self.integer(name, 1, high)
        self.asked.append(name)
        return 0

    def integers(self, name: str, low: int, high: int) -> tuple[int, ...]:
        """Return a list of integers of low..high; none where the field is missing."""
        value = self.take(name, [])
        if not isinstance(value, list) or not all(
            type(v) is int and low <= v <= high for v in value
        ):
            raise UsageError(**self.refused(name, value, f"a list of {low}..{high}"))
        return tuple(value)

    def flag(self, name: str, default: Any = MISSING) -> bool:
        """Return true or false."""
        value = self.take(name, default)
        if not isinstance(value, bool):
            raise UsageError(**self.refused(name, value, "true or false"))
        return value

    def choice(self, name: str, names: tuple[str, ...], default: Any = MISSING) -> Any:
        """Return one of some words."""
        value = self.take(name, default)
        if not isinstance(value, str) or value not in names:
            raise UsageError(**self.refused(name, value, ", ".join(names)))
        return value

    def paths(self, name: str, base: Path, *, folders: bool, default: Any) -> tuple[Path, ...]:
        """Return files or folders that exist, relative to a folder."""
        value = self.take(name, default)
        kind = "folders" if folders else "files"
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            raise UsageError(
                **self.refused(name, value, f"a list of {kind}, relative to this file")
            )
        paths = []
        for text in value:
            try:
                path = (base / text).resolve()
                there = path.is_dir() if folders else path.is_file()
            except (OSError, ValueError, RuntimeError):  # too long, a NUL, a loop of links
                there = False
            if not there:
                raise UsageError(
                    **self.refused(name, text, f"{kind} that exist, relative to {base}")
                )
            paths.append(path)
        return tuple(paths)

    def names(self) -> list[str]:
        """Return the names of all fields, which must be identifiers."""
        for name in self.data:
            if not NAME.fullmatch(name):
                raise UsageError(**self.refused("a name", name, "Verilog identifiers"))
        return list(self.data)

    def done(self) -> None:
        """Refuse the fields that nothing reads."""
        for name in self.data:
            raise UsageError(
                f"there is no field {shown(name)}", where=self.where, accepted=", ".join(self.asked)
            )
