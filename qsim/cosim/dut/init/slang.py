"""The one place that knows pyslang: SystemVerilog in, a :class:`Module` out."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from qsim import files
from qsim.cosim.dut.init.declared import interfaces_of, parameters_of, ports_of, unbound_of
from qsim.cosim.dut.init.edges import edges_of, unknown, unknown_interfaces
from qsim.cosim.dut.init.module import Module
from qsim.errors import FileFormatError, MissingToolError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

MOST_BYTES: Final = 1 << 26  # of a source
_SUFFIXES: Final = (".sv", ".v", ".svh", ".vh")
_MOST_FOUND: Final = 64  # files that are added by their names
# What slang says of a name whose file it has not seen.
_UNKNOWN: Final = re.compile(r"unknown (?:package|interface|module|class or package) '(\w+)'")


def require() -> None:
    """Find out whether pyslang is installed.

    Raises:
        MissingToolError: it is not.
    """
    try:
        import_module("pyslang")
    except ImportError:
        raise MissingToolError(
            "reading SystemVerilog needs the package pyslang",
            accepted="in the checkout: pip install -e '.[cosim]'",
        ) from None


def read(
    sources: Sequence[Path],
    *,
    top: str | None = None,
    include: Sequence[Path] = (),
    defines: Sequence[str] = (),
) -> Module:
    """Return what a module declares, and which files it needs.

    A package or module that the files lack is looked for in their folders, in a file of its name.

    Args:
        sources: Verilog or SystemVerilog files, in compile order.
        top: the module; the only one that no other instantiates if None.
        include: folders of included files.
        defines: macros, ``NAME=TEXT`` each.

    Raises:
        MissingToolError: pyslang is not installed.
        UsageError: a file that cannot be read or is no SystemVerilog, or no such module.
    """
    require()
    known = [_checked(path) for path in sources]
    packages: list[Path] = []
    modules: list[Path] = []
    while True:
        reading = _Reading([*packages, *modules, *known], include, defines)
        instance = _instance(reading, known, top)
        imported = [*reading.imported(), *unknown_interfaces(instance.body)]
        missing = [*imported, *dict.fromkeys(unknown(instance.body))]
        taken = {*packages, *modules, *known}
        more = {
            name: path for name in missing if (path := _beside(name, known)) not in taken and path
        }
        if not more or len(taken) + len(more) > _MOST_FOUND:
            break
        # A package stands before what imports it.
        packages = [*(path for name, path in more.items() if name in imported), *packages]
        modules += [path for name, path in more.items() if name not in imported]
    edges, conditions = edges_of(instance.body)
    return Module(
        name=instance.name,
        sources=(*packages, *modules, *known),
        ports=tuple(ports_of(instance.body)),
        interfaces=tuple(interfaces_of(instance.body)),
        parameters=tuple(parameters_of(instance.body)),
        edges=edges,
        conditions=conditions,
        missing=tuple(missing),
        unbound=tuple(unbound_of(instance.body)),
        notes=tuple(reading.notes()),
    )


def _checked(path: Path) -> Path:
    try:
        files.read(path, MOST_BYTES, "a Verilog or SystemVerilog file")
    except FileFormatError as error:
        raise UsageError.placed(error, error.where) from None
    return path


def _beside(name: str, known: Iterable[Path]) -> Path | None:
    """Return the file named like a module or package, beside the sources."""
    for folder in dict.fromkeys(path.parent for path in known):
        for suffix in _SUFFIXES:
            path = folder / f"{name}{suffix}"
            if path.is_file():
                return path
    return None


class _Reading:
    """One pass of the parser over the files."""

    def __init__(
        self, sources: Sequence[Path], include: Sequence[Path], defines: Sequence[str]
    ) -> None:
        slang: Any = import_module("pyslang")
        self.slang = slang
        self.manager = slang.SourceManager()
        options = slang.parsing.PreprocessorOptions()
        options.predefines = list(defines)
        options.additionalIncludePaths = [str(path) for path in include]
        self.bag = slang.Bag()
        self.bag.preprocessorOptions = options
        self.tree = slang.syntax.SyntaxTree.fromFiles(
            [str(path) for path in sources], self.manager, self.bag
        )
        self.engine = slang.DiagnosticEngine(self.manager)
        for each in self.tree.diagnostics:
            if each.isError():
                message, place = self._told(each)
                includes = "no such file" in message.lower()
                raise UsageError(
                    message,
                    where=place,
                    accepted="--include DIR with that file" if includes else "SystemVerilog",
                )
        self.compilation = self.compiled(None)

    def compiled(self, top: str | None) -> Any:
        """Return an elaboration; of one module, where it is named."""
        ast = self.slang.ast
        flags = ast.CompilationFlags
        options = ast.CompilationOptions()
        options.flags = (
            flags.AllowTopLevelIfacePorts
            | flags.IgnoreUnknownModules
            | flags.AllowInvalidTop
            | flags.AllowUseBeforeDeclare
        )
        if top is not None:
            options.topModules = {top}
        self.bag.compilationOptions = options
        made = ast.Compilation(self.bag)
        made.addSyntaxTree(self.tree)
        return made

    def modules(self, only: Sequence[Path] = ()) -> list[str]:
        """Return the modules that are defined, in these files if any are given."""
        kind = self.slang.ast.DefinitionKind.Module
        names = {str(path.resolve()) for path in only}
        return [
            each.name
            for each in self.compilation.getDefinitions()
            if each.definitionKind == kind and (not names or self._file(each) in names)
        ]

    def _file(self, symbol: Any) -> str:
        return str(self.manager.getFullPath(symbol.location.buffer).resolve())

    def imported(self) -> list[str]:
        """Return packages and interfaces that no file defines."""
        messages = map(self.engine.formatMessage, self.compilation.getAllDiagnostics())
        return list(dict.fromkeys(name for text in messages for name in _UNKNOWN.findall(text)))

    def notes(self) -> list[str]:
        """Return the errors that are not of the syntax, one line each."""
        errors = [each for each in self.compilation.getAllDiagnostics() if each.isError()]
        return [": ".join(reversed(self._told(each))) for each in errors][:8]

    def _told(self, each: Any) -> tuple[str, str]:
        place = self.manager.getFileName(each.location)
        line = self.manager.getLineNumber(each.location)
        message = "".join(c for c in self.engine.formatMessage(each) if c.isprintable())
        return message[:200], f"{place}:{line}"


def _instance(reading: _Reading, known: Sequence[Path], top: str | None) -> Any:
    """Return the module as an instance.

    Raises:
        UsageError: there is none, or nobody says which.
    """
    names = reading.modules(known)
    if top is not None and top not in names:
        raise UsageError(
            f"no file has a module {top!r:.80}",
            where="--top",
            accepted=", ".join(names) or "a file with a module",
        )
    if not names:
        raise UsageError(
            "it has no module", where=", ".join(map(str, known)), accepted="a file with a module"
        )
    if top is None:
        inside = {
            each.name for each in reading.compilation.getRoot().topInstances if each.name in names
        }
        last = [name for name in reading.modules(known[-1:]) if name in inside]
        candidates = last or sorted(inside) or names
        if len(candidates) > 1:
            raise UsageError(
                f"it has {len(candidates)} modules that no other contains",
                where=str(known[-1]),
                accepted=" or ".join(f"--top {name}" for name in candidates[:8]),
            )
        top = candidates[0]
    reading.compilation = reading.compiled(top)
    instances = [i for i in reading.compilation.getRoot().topInstances if i.name == top]
    if not instances:
        raise UsageError(
            f"module {top!r} cannot be elaborated",
            where=": ".join(reading.notes()[:1]) or str(known[-1]),
            accepted="a module whose parameters have defaults",
        )
    return instances[0]
