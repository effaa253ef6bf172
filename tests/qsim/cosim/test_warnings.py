"""What tools say of a design is shown, also of a kept build; widths that contradict are refused."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest

import qsim
from qsim.cli import main
from qsim.cosim import Report
from qsim.cosim.dut import load as load_dut
from qsim.cosim.dut import require_widths
from qsim.cosim.simulators import Message
from qsim.errors import UsageError
from qsim.golden import load, write
from tests.tree import GOLDEN, SCALER


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example, one case to run on it, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(SCALER, tmp_path / "scaler")
    golden = load(GOLDEN / "requantize")
    write([golden.case("requantize.limits-low")], tmp_path / "set", golden.target)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "scaler"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def ran(folder: Path, simulator: str = "icarus", *, lint: bool = False) -> Report:
    return qsim.cosim.run(
        folder.parent / "set", simulator=simulator, dut=folder / "scaler.toml", lint=lint
    )


EXTRA = """\
  reg [7:0] memory [0:1];
  initial $readmemb("gone.bin", memory);
  always @(posedge clk) if (acc == 32'd1) $error("one");
  reg [3:0] held;
  always @* if (acc[0]) held = acc[4:1];
  narrow too_narrow (.a(limits[7:0]));
endmodule
module narrow (input [3:0] a);
endmodule
"""


def test_what_tools_say_is_in_the_report_every_time(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(folder).warnings == ()
    edit(folder / "scaler.v", "endmodule\n", EXTRA)
    first = ran(folder)
    assert first.ok
    port, memory, *others = first.warnings
    assert re.fullmatch(
        r"scaler/scaler\.v:\d+: Port 1 \(a\) of narrow expects 4 bits, got 8\. Pruning 4 .*", port
    )
    assert re.fullmatch(r"scaler/scaler\.v:\d+: \$readmemb: Unable to open gone\.bin.*", memory)
    assert not [line for line in others if "readmem" in line]
    assert ran(folder).warnings == first.warnings  # the build is the kept one
    assert first.to_dict()["warnings"] == list(first.warnings)
    argv = ["cosim", "set", "-s", "icarus", "--dut", "scaler/scaler.toml"]
    assert main([*argv, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == list(first.warnings)
    assert main(argv) == 0
    said = capsys.readouterr().out
    assert f"{len(first.warnings)} warnings:" in said
    assert "expects 4 bits, got 8" in said
    assert "qsim_" not in said


def test_latches_are_shown_on_request(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(folder / "scaler.v", "endmodule\n", EXTRA)
    assert not [line for line in ran(folder).warnings if "(LATCH)" in line]
    told = ran(folder, lint=True).warnings
    assert [line for line in told if "scaler.v" in line and "(LATCH)" in line]
    assert [line for line in told if "(UNUSEDSIGNAL)" in line]
    assert not [line for line in told if "qsim_" in line]
    assert main(["cosim", "set", "-s", "icarus", "--lint"]) == 2
    assert "lint with dut" in capsys.readouterr().err


# A port that is narrower, or wider, than its binding: what changes in the module, and in the
# binding; where it is told, what, and what is accepted.
SAME = ("", "")
WIDTHS = [
    (("[31:0] acc;", "[23:0] acc;"), SAME, "operands.acc", "'acc'", (24, 32), "bits = 24"),
    (("[31:0] acc;", "[39:0] acc;"), SAME, "operands.acc", "'acc'", (40, 32), "bits = 40"),
    (
        SAME, ('exponent", bits = 6', 'exponent", bits = 7'),
        "operands.shift", "'exponent'", (6, 7), "bits = 6",
    ),
    (
        ("[17:0] limits;", "[16:0] limits;"), SAME,
        "operands.low", "'limits'", (17, 18), "lsb, stride and bits that fill 17 bits",
    ),
    (("[7:0] code;", "[6:0] code;"), SAME, "results.y", "'code'", (7, 8), "bits = 7"),
    (
        ("clk, rst_n;", "clk; input [1:0] rst_n;"), SAME,
        "reset.port", "'rst_n'", (2, 1), "a port of one bit",
    ),
]  # fmt: skip


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
@pytest.mark.parametrize(("module", "binding", "where", "port", "bits", "accepted"), WIDTHS)
def test_a_width_that_the_binding_contradicts_is_refused(
    folder: Path, no_make: None, simulator: str, module: tuple[str, str],
    binding: tuple[str, str], where: str, port: str, bits: tuple[int, int], accepted: str,
) -> None:  # fmt: skip
    edit(folder / "scaler.v", *module)
    edit(folder / "scaler.toml", *binding)
    message = f"{where}: port {port} of scaler has {bits[0]} bits, not {bits[1]}"
    for _ in range(2):  # a kept build is no better
        with pytest.raises(UsageError, match=re.escape(message)) as caught:
            ran(folder, simulator)
        assert caught.value.accepted == accepted


def test_a_result_that_is_part_of_a_port_is_told(folder: Path) -> None:
    edit(folder / "scaler.v", "[7:0] code;", "[11:0] code;")
    assert [line for line in ran(folder).warnings if "12 bits, of which the lowest 8" in line]


def test_a_port_that_several_results_share_is_read_in_full(folder: Path) -> None:
    """Each result is a call of its own, with its part: what the others read is not unread."""
    dut = load_dut(folder / "scaler.toml")
    low, high = (
        dataclasses.replace(dut.results["y"], bits=bits, lsb=lsb) for bits, lsb in ((4, 0), (8, 4))
    )
    said = [Message("qsim_dut.sv:9", "Port 9 (code) of scaler expects 12 bits, got 4.")]
    (told,) = require_widths(dataclasses.replace(dut, results={"low": low}), said)
    assert "12 bits, of which the lowest 4 are read" in told
    assert require_widths(dataclasses.replace(dut, results={"low": low, "high": high}), said) == []
