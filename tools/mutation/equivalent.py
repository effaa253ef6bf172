"""Is a survivor the same module after all? Asked twice.

First register by register: with what the header keeps at 0 tied to 0, is every next state and every
output the same function? Then, for those where more of the header is needed, by induction over both
side by side, from reset on.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from qsim.errors import FileFormatError
from qsim.formal import yosys
from qsim.mutants import SELECT

if TYPE_CHECKING:
    from qsim.cosim.jobs import Unit
    from tools.mutation.netlist import UnitMutants

Answer: TypeAlias = Literal["equivalent", "different", "unknown"]
_SECONDS: Final = 60
_STEPS: Final = 3

# Two copies get the same beats, and only beats that the header of the module allows; what they
# show must agree while it counts: tdata and tlast only while tvalid is high.
_PAIR: Final = """\
module pair (
    input clk, input rst, input v, input last, input r, input [{s}:0] data, output ok
);
  wire allowed = {allowed};
  wire ready_a, ready_b, valid_a, valid_b, last_a, last_b;
  wire [{m}:0] data_a, data_b;
  mutant a (.clk(clk), .rst(rst), .s_axis_tvalid(v && allowed), .s_axis_tready(ready_a),
      .s_axis_tdata(data), .s_axis_tlast(last), .m_axis_tvalid(valid_a), .m_axis_tready(r),
      .m_axis_tdata(data_a), .m_axis_tlast(last_a), .mutsel({select}'d0));
  mutant b (.clk(clk), .rst(rst), .s_axis_tvalid(v && allowed), .s_axis_tready(ready_b),
      .s_axis_tdata(data), .s_axis_tlast(last), .m_axis_tvalid(valid_b), .m_axis_tready(r),
      .m_axis_tdata(data_b), .m_axis_tlast(last_b), .mutsel({select}'d{mutant}));
  assign ok = ready_a == ready_b && valid_a == valid_b
      && (!valid_a || (data_a == data_b && last_a == last_b));
endmodule
"""


def equivalent(mutants: UnitMutants, mutant: int) -> Answer:
    """Compare a mutant with the module as it is, from reset on, for all beats that are allowed.

    Returns:
        ``different`` where yosys shows a run that tells them apart, ``unknown`` where its
        induction (3 steps) or its time (60 s) does not suffice.
    """
    if same_functions(mutants, mutant):
        return "equivalent"
    return _induction(mutants, mutant)


def same_functions(mutants: UnitMutants, mutant: int) -> bool:
    """Return whether every register and output is proved to be the same function.

    What the header keeps at 0 is tied to 0.
    """
    unit = mutants.unit
    mask = (1 << unit.inputs.width) - 1 - always_zero(unit)
    return mutants.proof(mask).same(mutant)


def always_zero(unit: Unit) -> int:
    """Return the bits of a beat that the header keeps at 0: the sign of a shift to the right."""
    scheme = unit.parameters.get("SCHEME", 0)
    fixed_point = (unit.primitive == "requantize" and scheme != 2) or (
        unit.primitive == "add" and scheme < 2
    )
    signs = 0
    for field, offset in unit.inputs.offsets().items():
        if fixed_point and field.endswith("shift"):
            signs |= 1 << (offset + 6)
    return signs


def _induction(mutants: UnitMutants, mutant: int) -> Answer:
    unit = mutants.unit
    text = _PAIR.format(
        s=unit.inputs.width - 1,
        m=unit.outputs.width - 1,
        mutant=mutant,
        select=SELECT,
        allowed=allowed(unit),
    )
    with tempfile.TemporaryDirectory(prefix="qsim-mutation-") as name:
        folder = Path(name)
        (folder / "pair.v").write_text(mutants.made.verilog + text, encoding="utf-8")
        script = ["read_verilog -sv pair.v", "hierarchy -top pair", "proc", "flatten"]
        script += ["memory_map", "opt -full", "async2sync", "opt -full"]
        sat = f"sat -seq 1 -tempinduct -set-at 1 rst 1 -prove ok 1 -maxsteps {_STEPS} pair"
        try:
            # Not sat's own -timeout: it has no effect in WebAssembly.
            log = yosys.run([*script, sat], folder, _SECONDS)
        except (FileFormatError, subprocess.TimeoutExpired):
            return "unknown"
    if "Induction step proven: SUCCESS" in log:
        return "equivalent"
    return "different" if "model found for base case: FAIL" in log else "unknown"


def allowed(unit: Unit) -> str:
    """Return, in Verilog, which beats the module's header allows."""
    offsets = unit.inputs.offsets()
    bits = {
        field.name: f"$signed(data[{offsets[field.name]}+:{field.bits}])"
        for field in unit.inputs.fields
    }
    rules = []
    if "low" in bits:
        rules.append(f"{bits['low']} <= {bits['high']}")
        width = unit.outputs.fields[0].bits
        signed = unit.outputs.fields[0].signed
        least, most = (
            (-(1 << (width - 1)), (1 << (width - 1)) - 1)
            if signed
            else (
                0,
                (1 << width) - 1,
            )
        )
        rules += [f"{bits['low']} >= {least}", f"{bits['high']} <= {most}"]
    if unit.primitive == "requantize":
        scheme = unit.parameters["SCHEME"]
        least = {2: -62, 5: 2, 6: 16}.get(scheme, 0)
        most = unit.parameters["MUL_W"] + 30 if scheme in (0, 3) else 62
        rules += [f"{bits['shift']} >= {least}", f"{bits['shift']} <= {most}"]
        if scheme in (0, 3):
            wide = f"{bits['acc']} + 40'sd0 - {bits['input_zero_point']}"
            rules += [f"{wide} >= -40'sd2147483648", f"{wide} <= 40'sd2147483647"]
    if unit.primitive == "add" and unit.parameters["SCHEME"] < 2:
        for name in ("a_shift", "b_shift", "out_shift"):
            rules += [f"{bits[name]} >= 0", f"{bits[name]} <= 62"]
    return " && ".join(f"({rule})" for rule in rules) or "1'b1"
