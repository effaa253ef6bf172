"""Reading a ``dut.toml``: strict, with the field's name in every error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, assert_never

from qsim import toml
from qsim.cosim import custom
from qsim.cosim.dut.binding import HANDSHAKES, ORDERS, Binding, Dut, Handshake, Stream
from qsim.errors import FileFormatError, UsageError
from qsim.target import shown

SCHEMA: Final = 1
MAX_BYTES: Final = 64 * 1024
MAX_LATENCY: Final = 200
MAX_LANES: Final = 64
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,127}")
_MISSING: Final = object()


class _Table:
    """One table of the file: every field is asked for once; what nobody asked for is refused."""

    def __init__(self, data: object, where: str) -> None:
        if not isinstance(data, dict):
            raise UsageError(f"must be a table, not {shown(data)}", where=where)
        self.data, self.where = dict(data), where
        self.asked: list[str] = []

    def _take(self, name: str, default: Any) -> Any:
        self.asked.append(name)
        value = self.data.pop(name, default)
        if value is _MISSING:
            raise UsageError(f"{name!r} is missing", where=self.where, accepted=f"{name} = ...")
        return value

    def refused(self, name: str, value: object, accepted: str) -> dict[str, str]:
        """Return the arguments of the error about a field."""
        message = f"{name} must not be {shown(value)}"
        return {"message": message, "where": self.where, "accepted": accepted}

    def table(self, name: str, default: Any = _MISSING) -> _Table:
        return _Table(self._take(name, default), f"{self.where}: [{name}]")

    def identifier(self, name: str, default: Any = _MISSING) -> str:
        value = self._take(name, default)
        if value == "" and default == "":
            return ""
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            raise UsageError(**self.refused(name, value, "a Verilog identifier"))
        return value

    def identifiers(self, name: str) -> tuple[str, ...]:
        value = self._take(name, _MISSING)
        names = tuple(value) if isinstance(value, list) else (value,)
        if not names or not all(isinstance(n, str) and _NAME.fullmatch(n) for n in names):
            raise UsageError(
                **self.refused(name, value, "a port's name, or a list of one per lane")
            )
        return names

    def integer(self, name: str, low: int, high: int, default: Any = _MISSING) -> int:
        value = self._take(name, default)
        if type(value) is not int or not low <= value <= high:
            raise UsageError(**self.refused(name, value, f"{low}..{high}"))
        return value

    def flag(self, name: str, default: Any = _MISSING) -> bool:
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise UsageError(**self.refused(name, value, "true or false"))
        return value

    def choice(self, name: str, names: tuple[str, ...], default: Any = _MISSING) -> Any:
        value = self._take(name, default)
        if not isinstance(value, str) or value not in names:
            raise UsageError(**self.refused(name, value, ", ".join(names)))
        return value

    def paths(self, name: str, base: Path, *, folders: bool, default: Any) -> tuple[Path, ...]:
        value = self._take(name, default)
        kind = "folders" if folders else "files"
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            raise UsageError(
                **self.refused(name, value, f"a list of {kind}, relative to this file")
            )
        paths = tuple((base / text).resolve() for text in value)
        for text, path in zip(value, paths, strict=True):
            if not (path.is_dir() if folders else path.is_file()):
                raise UsageError(
                    **self.refused(name, text, f"{kind} that exist, relative to {base}")
                )
        return paths

    def done(self) -> None:
        """Refuse the fields that nothing reads."""
        for name in self.data:
            raise UsageError(
                f"there is no field {shown(name)}", where=self.where, accepted=", ".join(self.asked)
            )


def load(path: str | Path) -> Dut:
    """Return what a ``dut.toml`` states.

    Args:
        path: of the file; sources and folders in it are relative to its own folder.

    Raises:
        UsageError: no such file, not TOML, or a field that is unknown, missing or not acceptable.
    """
    file = Path(path)
    where = str(path)
    try:
        document = toml.load(file, MAX_BYTES)
    except FileFormatError as error:
        raise UsageError.placed(error, where) from None
    return _read(_Table(document, where), file.resolve().parent)


def _read(top: _Table, base: Path) -> Dut:
    from qsim.program import PRIMITIVES

    top.integer("schema", SCHEMA, SCHEMA)
    primitive = top.choice("primitive", (*sorted(PRIMITIVES), "custom"))
    handshake: Handshake = top.choice("handshake", HANDSHAKES)
    parameters, defines = top.table("parameters", {}), top.table("defines", {})
    reset = top.table("reset", {})
    fixed = top.table("fixed", {})
    dut = Dut(
        where=top.where,
        primitive=primitive,
        top=top.identifier("top"),
        sources=top.paths("sources", base, folders=False, default=_MISSING),
        include=top.paths("include", base, folders=True, default=[]),
        defines={name: _define(defines, name) for name in list(defines.data)},
        parameters={
            name: parameters.integer(name, -(1 << 31), (1 << 31) - 1)
            for name in _identifiers(parameters)
        },
        clock=top.identifier("clock"),
        reset=reset.identifier("port", ""),
        reset_active=reset.choice("active", ("high", "low"), "high"),
        handshake=handshake,
        latency=_latency(top, handshake),
        input=_stream(top.table("input", {})),
        output=_stream(top.table("output", {})),
        lanes=top.integer("lanes", 1, MAX_LANES, 1),
        lane_order=top.choice("lane_order", ORDERS, ORDERS[0]),
        operands=_bindings(top.table("operands")),
        fixed={
            name: fixed.integer(name, -(1 << 63), (1 << 64) - 1) for name in _identifiers(fixed)
        },
        results=_bindings(top.table("results")),
        custom=_custom(top, primitive, base),
    )
    for table in (top, reset):
        table.done()
    _require_handshake(dut)
    return dut


def _custom(top: _Table, primitive: str, base: Path) -> custom.Spec | None:
    """Return the block of ``primitive = "custom"``."""
    if primitive != "custom":
        return None
    return custom.read(top.table("custom"), base)


def _identifiers(table: _Table) -> list[str]:
    for name in table.data:
        if not _NAME.fullmatch(name):
            raise UsageError(**table.refused("a name", name, "Verilog identifiers"))
    return list(table.data)


def _define(table: _Table, name: str) -> str:
    value = table.data[name]
    if not _NAME.fullmatch(name) or not isinstance(value, str) or not value.isprintable():
        raise UsageError(**table.refused(name, value, "a macro's name and its text"))
    return value


def _latency(top: _Table, handshake: Handshake) -> int:
    if handshake == "fixed_latency":
        return top.integer("latency", 0, MAX_LATENCY)
    if "latency" in top.data:
        raise UsageError(
            **top.refused("latency", top.data["latency"], 'latency only with "fixed_latency"')
        )
    return 0


def _stream(table: _Table) -> Stream:
    stream = Stream(*(table.identifier(name, "") for name in ("valid", "ready", "last")))
    table.done()
    return stream


def _bindings(table: _Table) -> dict[str, Binding]:
    return {name: _binding(table.table(name)) for name in _identifiers(table)}


def _binding(table: _Table) -> Binding:
    ports = table.identifiers("port")
    bits = table.integer("bits", 1, 64)
    binding = Binding(
        ports=ports,
        bits=bits,
        signed=table.flag("signed"),
        lsb=table.integer("lsb", 0, 1 << 16, 0),
        stride=table.integer("stride", bits, 1 << 12, bits),
        stream=Stream(table.identifier("valid", ""), table.identifier("ready", "")),
    )
    table.done()
    return binding


def _handshake_ports(handshake: Handshake) -> tuple[str, ...]:
    match handshake:
        case "axi_stream":
            return ("valid", "ready")
        case "valid_only":
            return ("valid",)
        case "fixed_latency":
            return ()
        case _:
            assert_never(handshake)


def _require_handshake(dut: Dut) -> None:
    """Require the ports that a handshake has, and no others."""
    own = [b.stream for b in dut.operands.values() if b.stream != Stream()]
    ends = {"input": [dut.input, *own], "output": [dut.output]}
    wanted = _handshake_ports(dut.handshake)
    for end, streams in ends.items():
        # Operands that all have handshakes of their own need no common one.
        if end == "input" and own and dut.input == Stream() and len(own) == len(dut.operands):
            streams = own
        for stream in streams:
            for name in ("valid", "ready"):
                have, need = bool(getattr(stream, name)), name in wanted
                if have != need:
                    verb = "needs" if need else "has no"
                    raise UsageError(
                        f"handshake {dut.handshake!r} {verb} a port {name!r} on its {end} side",
                        where=dut.where,
                        accepted=", ".join(wanted) or "neither valid nor ready",
                    )
    if own and dut.handshake != "axi_stream":
        raise UsageError(
            f"operands on streams of their own need valid and ready, not {dut.handshake!r}",
            where=dut.where,
            accepted="handshake = 'axi_stream'",
        )
    if dut.reduces and not dut.input.last:
        raise UsageError(
            f"the beats of {dut.primitive} form packets, so the design needs a port that says "
            "which is the last",
            where=f"{dut.where}: [input]",
            accepted='last = "..."',
        )
    if not dut.reset and dut.handshake != "fixed_latency":
        raise UsageError(
            f"a design with handshake {dut.handshake!r} needs a reset",
            where=f"{dut.where}: [reset]",
            accepted='port = "..."',
        )
