"""Module ``dut``: what every bench drives. Around the repository's own RTL it only renames.

A :class:`Design` is all that a build needs to know of what is simulated. ``qsim.cosim.dut.wrapper``
makes the wrapper around somebody else's module; :func:`design` the one around ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from qsim.errors import UsageError

if TYPE_CHECKING:
    from qsim.cosim.jobs import Unit
    from qsim.cosim.simulators.watched import Watched

RTL_TB: Final = Path(__file__).resolve().parents[3] / "rtl_tb"
RTL: Final = RTL_TB / "rtl"


@dataclass(frozen=True)
class Design:
    """A module ``dut`` and the files below it.

    Attributes:
        wrapper: SystemVerilog text of ``dut``.
        sources: the files that it needs, in compile order.
        input_width, output_width: bits of ``s_axis_tdata`` and ``m_axis_tdata``.
        include: folders of included files.
        defines: macros and their text.
        watched: handshakes that ``dut`` watches; None around RTL of ours. The benches then leave
            tlast alone: the watchers know whether the design has one.
    """

    wrapper: str
    sources: tuple[Path, ...]
    input_width: int
    output_width: int
    include: tuple[Path, ...] = ()
    defines: Mapping[str, str] = field(default_factory=dict)
    watched: Watched | None = None


Wrap: TypeAlias = Callable[["Unit"], Design]


def design(unit: Unit, rtl: Path = RTL) -> Design:
    """Return the wrapper around a module of ``rtl_tb/rtl``, its parameters as localparams.

    Args:
        unit: module, parameters and layouts.
        rtl: folder of the modules; another one for a changed copy.

    Raises:
        UsageError: a source file is not there.
    """
    sources = tuple(rtl / name for name in unit.sources)
    for source in sources:
        if not source.is_file():
            raise UsageError(f"module {unit.module!r} needs a file that is not there: {source}")
    return Design(_text(unit), sources, unit.inputs.width, unit.outputs.width)


def _text(unit: Unit) -> str:
    constants = [f"  localparam int {name} = {value};" for name, value in unit.parameters.items()]
    passed = ", ".join(f".{name}({name})" for name in unit.parameters)
    parameters = f" #({passed})" if passed else ""
    return "\n".join(
        [
            f"// {unit.module} with the widths of one target; generated.",
            "module qsim_dut (",
            "    input  logic clk,",
            "    input  logic rst,",
            "    input  logic s_axis_tvalid,",
            "    output logic s_axis_tready,",
            f"    input  logic [{unit.inputs.width - 1}:0] s_axis_tdata,",
            "    input  logic s_axis_tlast,",
            "    output logic m_axis_tvalid,",
            "    input  logic m_axis_tready,",
            f"    output logic [{unit.outputs.width - 1}:0] m_axis_tdata,",
            "    output logic m_axis_tlast",
            ");",
            *constants,
            f"  {unit.module}{parameters} unit (",
            "      .clk(clk),",
            "      .rst(rst),",
            "      .s_axis_tvalid(s_axis_tvalid),",
            "      .s_axis_tready(s_axis_tready),",
            "      .s_axis_tdata(s_axis_tdata),",
            "      .s_axis_tlast(s_axis_tlast),",
            "      .m_axis_tvalid(m_axis_tvalid),",
            "      .m_axis_tready(m_axis_tready),",
            "      .m_axis_tdata(m_axis_tdata),",
            "      .m_axis_tlast(m_axis_tlast)",
            "  );",
            "endmodule",
            "",
        ]
    )
