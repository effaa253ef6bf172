"""What Verilog leaves undefined and SMT-LIB does not becomes x, which may be anything.

A division by zero, a part-select beyond its vector and a read beyond a memory's end are x in
Verilog; to yosys and in SMT-LIB they have some value. A design that is right for that value alone
would be proved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim.atomic import refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DIVISIONS: Final = ("div", "mod", "divfloor", "modfloor")
_HEAD: Final = """
module \\$%s (A, B, Y);
  parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 1, B_WIDTH = 1, Y_WIDTH = 1;
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  output [Y_WIDTH-1:0] Y;
"""
_DIVISION: Final = """\
  wire [Y_WIDTH-1:0] q;
  \\$__qsim_%s #(
    .A_SIGNED(A_SIGNED), .B_SIGNED(B_SIGNED),
    .A_WIDTH(A_WIDTH), .B_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)
  ) divide (.A(A), .B(B), .Y(q));
  assign Y = |B ? q : {Y_WIDTH{1'bx}};
endmodule
"""
_SELECT: Final = """\
  wire [Y_WIDTH-1:0] part, within;
  \\$shift #(
    .A_SIGNED(0), .B_SIGNED(B_SIGNED), .A_WIDTH(A_WIDTH), .B_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)
  ) taken (.A(A), .B(B), .Y(part));
  \\$shift #(
    .A_SIGNED(0), .B_SIGNED(B_SIGNED), .A_WIDTH(A_WIDTH), .B_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)
  ) inside (.A({A_WIDTH{1'b1}}), .B(B), .Y(within));
  assign Y = (part & within) | ({Y_WIDTH{1'bx}} & ~within);
endmodule
"""

_MEMORY: Final = (
    "MEMID", "SIZE", "OFFSET", "ABITS", "WIDTH", "INIT", "RD_PORTS", "RD_CLK_ENABLE",
    "RD_CLK_POLARITY", "RD_TRANSPARENCY_MASK", "RD_COLLISION_X_MASK", "RD_WIDE_CONTINUATION",
    "RD_CE_OVER_SRST", "RD_ARST_VALUE", "RD_SRST_VALUE", "RD_INIT_VALUE", "WR_PORTS",
    "WR_CLK_ENABLE", "WR_CLK_POLARITY", "WR_PRIORITY_MASK", "WR_WIDE_CONTINUATION",
)  # fmt: skip
_PORTS: Final = {
    "RD_CLK": "RD_PORTS", "RD_EN": "RD_PORTS", "RD_ARST": "RD_PORTS", "RD_SRST": "RD_PORTS",
    "RD_ADDR": "RD_PORTS*ABITS", "WR_CLK": "WR_PORTS", "WR_EN": "WR_PORTS*WIDTH",
    "WR_ADDR": "WR_PORTS*ABITS", "WR_DATA": "WR_PORTS*WIDTH",
}  # fmt: skip
# Of a memory whose reads take no clock: registers behind it are separate cells.
_READS: Final = """\
  output [RD_PORTS*WIDTH-1:0] RD_DATA;
  wire [RD_PORTS*WIDTH-1:0] data;
  genvar i;
  generate
    if (WR_PORTS) \\$__qsim_mem_v2 #(%s) memory (%s, .RD_DATA(data));
    else \\$__qsim_mem_v2 #(%s) memory (%s, .RD_DATA(data));
    for (i = 0; i < RD_PORTS; i = i + 1) begin : read
      wire [31:0] at = RD_ADDR[i*ABITS +: ABITS];
      assign RD_DATA[i*WIDTH +: WIDTH] =
        at >= OFFSET && at < OFFSET + SIZE ? data[i*WIDTH +: WIDTH] : {WIDTH{1'bx}};
    end
  endgenerate
endmodule
"""


def _memory() -> str:
    """Return the module that stands for a memory."""
    parameters = ", ".join(f"{name} = 0" for name in _MEMORY)
    lines = ["module \\$mem_v2 (" + ", ".join([*_PORTS, "RD_DATA"]) + ");"]
    lines.append(f"  parameter {parameters};")
    lines += [f"  input [{width}-1:0] {name};" for name, width in _PORTS.items()]
    given = ", ".join(f".{name}({name})" for name in _MEMORY)
    writable = ", ".join(f".{name}({name})" for name in _PORTS)
    # Without write ports theirs have no bits.
    readable = ", ".join(
        f".{name}({'{0{1' + chr(39) + 'b0}}' if name.startswith('WR') else name})"
        for name in _PORTS
    )
    return "\n".join(["", *lines, _READS % (given, writable, given, readable)])


def undefined_as_x(folder: Path, names: Callable[[str], str]) -> list[str]:
    """Return the commands that make x of what is undefined.

    They are to be run on a flat design with memories as ``memory -nomap -nordff`` leaves them.

    Args:
        folder: where a file may be written.
        names: gives what yosys calls a file of this folder.
    """
    text = [_HEAD % name + _DIVISION % name for name in _DIVISIONS]
    text += [_HEAD % "shiftx" + _SELECT, _memory()]
    with refused(folder):
        (folder / "undefined.v").write_text("".join(text), encoding="utf-8")
    kinds = " ".join(f"t:${name}" for name in (*_DIVISIONS, "shiftx", "mem_v2"))
    return [
        f"techmap -map {names('undefined.v')} {kinds}",
        *(f"chtype -map $__qsim_{name} ${name}" for name in (*_DIVISIONS, "mem_v2")),
        "opt_clean",
    ]
