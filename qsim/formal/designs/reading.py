"""Somebody else's module, read by yosys as their own build reads it: files, folders, macros."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from qsim.atomic import refused
from qsim.cosim.dut import literal
from qsim.errors import FileFormatError, UsageError
from qsim.formal import yosys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.cosim.dut import Dut

ACCEPTED: Final = (
    "Verilog-2005, or what yosys reads of SystemVerilog: no interfaces, classes or unpacked arrays "
    "as ports"
)


@dataclass(frozen=True)
class Reading:
    """A design in a folder of our own, for yosys.

    yosys runs where the ``dut.toml`` is: there the design's own relative names mean what its author
    meant.

    Attributes:
        dut: the design.
        folder: of our own.
    """

    dut: Dut
    folder: Path

    @property
    def base(self) -> Path:
        """Where yosys runs."""
        return Path(self.dut.where).resolve().parent

    def path(self, name: str) -> str:
        """Return how yosys names a file of our own folder."""
        return os.path.relpath(self.folder / name, self.base)

    def run(self, commands: Sequence[str]) -> str:
        """Run yosys commands; return what they print.

        Raises:
            MissingToolError: yosys is not installed.
            FileFormatError: yosys refuses; its first error, in one line.
        """
        try:
            return yosys.run(commands, self.folder, cwd=self.base)
        except FileFormatError as error:
            self._refuse(error)

    def _refuse(self, error: FileFormatError) -> NoReturn:
        """Tell yosys' error as one about the design."""
        message = error.message.replace(self.path("all.sv"), f"{self.dut.where}: sources")
        raise FileFormatError(message, where=self.dut.where, accepted=ACCEPTED) from None

    def read(self, harness: str = "") -> list[str]:
        """Return the commands that read the sources, then a module of our own.

        Raises:
            UsageError: a port that yosys has no such thing for, or a folder's name with a space.
        """
        _require_ports(self.dut)
        # One text, as one compiler's run: a macro of one file is known in the next ones.
        # What yosys defines by itself would be another module than the one that is simulated.
        lines = ["`undef SYNTHESIS", "`undef YOSYS"]
        lines += [f"`define {name} {text}" for name, text in self.dut.defines.items()]
        lines += [f'`include "{os.path.relpath(path, self.base)}"' for path in self.dut.sources]
        if harness:
            lines.append(f'`include "{self.path("harness.sv")}"')
        with refused(self.folder):
            (self.folder / "all.sv").write_text("\n".join([*lines, ""]), encoding="utf-8")
            (self.folder / "harness.sv").write_text(harness, encoding="utf-8")
        folders = [os.path.relpath(folder, self.base) for folder in self.dut.include]
        for folder in (*folders, self.path("")):
            if any(c.isspace() or c in "\"';#" for c in folder):
                raise UsageError(
                    f"yosys takes no folder {folder!r}",
                    where=f"{self.dut.where}: include",
                    accepted="names without spaces and quotes",
                )
        return [
            " ".join(["read_verilog -sv", *(f"-I{f}" for f in folders), self.path("all.sv")]),
        ]

    def top(self) -> list[str]:
        """Return the commands that elaborate the design's own top module.

        Raises:
            UsageError: a parameter that yosys cannot be given.
        """
        values = []
        for name, value in self.dut.parameters.items():
            if isinstance(value, float):
                raise UsageError(
                    f"yosys has no parameters that are reals: {name} = {value}",
                    where=f"{self.dut.where}: parameters.{name}",
                    accepted="integers and text",
                )
            values.append(f"-chparam {name} {literal(value)}")
        return [" ".join(["hierarchy -check -top", self.dut.top, *values])]


def _require_ports(dut: Dut) -> None:
    for name in dut.interfaces:
        raise UsageError(
            f"yosys does not read port {name!r}, an interface",
            where=f"{dut.where}: interfaces.{name}",
            accepted=ACCEPTED,
        )
    for section, bindings in (("operands", dut.operands), ("results", dut.results)):
        for name, binding in bindings.items():
            if binding.unpacked:
                raise UsageError(
                    f"yosys does not read port {binding.ports[0]!r}, an unpacked array",
                    where=f"{dut.where}: {section}.{name}",
                    accepted=ACCEPTED,
                )
