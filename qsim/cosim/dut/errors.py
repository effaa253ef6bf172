"""What a compiler says of somebody else's module, in the words of its ``dut.toml``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NoReturn

from qsim.cosim.dut.ports import declared, modules
from qsim.cosim.simulators import WRAPPER
from qsim.errors import UsageError

if TYPE_CHECKING:
    from qsim.cosim.dut.binding import Dut, Stream
    from qsim.cosim.simulators import BuildError

# Verilator's and Icarus's words for a port, a parameter and a module that are not there.
_PORT: Final = re.compile(r"Pin not found: '(\w+)'|port ``(\w+)'' is not")
_PARAMETER: Final = re.compile(r"Parameter not found: '(\w+)'|parameter `(\w+)`? not found")
_MODULE: Final = re.compile(r"(?:find file containing module: '|Unknown module type: )(\w+)")
# Icarus reads nothing any more after the first file that begins so, and says nothing of it.
_NO_ROOT: Final = "Unable to find the root module"
_MARK: Final = b"\xef\xbb\xbf"


def explain(error: BuildError, dut: Dut) -> None:
    """Tell a compiler's error as one about the binding, where it is one.

    Raises:
        UsageError: a port, a parameter or the module that the ``dut.toml`` names is not there, or
            the compiler cannot read a source.
    """
    text = error.message
    if _NO_ROOT in text:
        _require_no_mark(dut)
    # The wrapper has names of the file: what it cannot parse is a keyword among them.
    of_wrapper = "syntax error" in text and error.where.startswith(f"{WRAPPER}:")
    if of_wrapper and dut.top not in modules(dut):
        _no_module(dut)
    if "Array element types are not equivalent" in text:
        raise UsageError(
            "the elements of an unpacked port are declared with another sign or width",
            where=f"{dut.where}: [operands], [results]",
            accepted="elements_signed = false where signed = true stands for undeclared signs",
        ) from None
    for pattern, what in ((_PORT, "port"), (_PARAMETER, "parameter"), (_MODULE, "module")):
        match = pattern.search(text)
        if match is None:
            continue
        name = next((group for group in match.groups() if group), "")
        if what == "module" and name == dut.top:
            _no_module(dut)
        if what != "module":
            raise UsageError(
                f"{what} {name!r} is not a {what} of module {dut.top}",
                where=f"{dut.where}: {field_of(dut, name)}",
                accepted=_names(dut, what) or f"a {what} that {dut.top} declares",
            ) from None


def _no_module(dut: Dut) -> NoReturn:
    raise UsageError(
        f"no source has a module {dut.top!r}",
        where=f"{dut.where}: top",
        accepted=", ".join(modules(dut)) or "the name of a module in sources",
    ) from None


def _require_no_mark(dut: Dut) -> None:
    for path in dut.sources:
        if path.read_bytes()[: len(_MARK)] == _MARK:
            raise UsageError(
                "it begins with a byte order mark, which Icarus cannot read",
                where=str(path),
                accepted="the file without its first three bytes, or --simulator verilator",
            ) from None


def _names(dut: Dut, what: str) -> str:
    found = declared(dut)
    if found is None:
        return ""
    return ", ".join(found.parameters if what == "parameter" else found.inputs + found.outputs)


def field_of(dut: Dut, name: str) -> str:
    """Return the field of the file that names a port or a parameter."""
    for section, bindings in (("operands", dut.operands), ("results", dut.results)):
        for field, binding in bindings.items():
            if name in (*binding.ports, *binding.stream.ports):
                return f"{section}.{field}"
    for section, names in (
        ("clocks", dut.clocks),
        ("tie", dut.tie),
        ("interfaces", dut.interfaces),
    ):
        if name in names:
            return f"{section}.{name}"
    for section, stream in (("input", dut.input), ("output", dut.output)):
        if name in stream.ports:
            return f"{section}.{_end(dut, section, stream, name)}"
    if name == dut.clock:
        return "clock"
    return "reset.port" if name == dut.reset else f"parameters.{name}"


def _end(dut: Dut, section: str, stream: Stream, name: str) -> str:
    """Return what the file calls a port of a handshake."""
    end = next(e for e in ("valid", "ready", "last", "busy") if getattr(stream, e) == name)
    if end == "valid" and dut.handshake == "start_done":
        return "start" if section == "input" else "done"
    return end
