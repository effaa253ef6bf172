"""Warnings of compilers and simulations, read out of what they print."""

from __future__ import annotations

from pathlib import Path

import pytest

from qsim.cosim.simulators.messages import Message, compiled, dump, parse, simulated
from qsim.cosim.simulators.wrapper import RTL_TB

FOLDER = Path("/tmp/build")  # noqa: S108  a name
ICARUS = """\
/a/m.v:3: warning: Port 1 (a) of m expects 24 bits, got 32.
/a/m.v:3:        : Pruning 8 high bits of it.
/a/m.v:9:        : of nothing that was told
/a/m.v:3: warning: Port 1 (a) of m expects 24 bits, got 32.
/a/m.v:3:        : Pruning 8 high bits of it.
/tmp/build/qsim_dut.sv:60: warning: Port 3 (acc) of m expects 24 bits, got 32.
warning: Some design elements have no explicit time unit and/or
"""
VERILATOR = f"""\
%Warning-WIDTHTRUNC: /a/inc/../m.v:5:12: Operator ASSIGNW expects 4 bits, but 8.
                             : ... note: In instance 'qsim_stream_bulk_tb.dut.theirs'
    5 |   assign n = a[7:0];
%Warning-LATCH: /a/m.v:6:11: Latch inferred for signal 'qsim_stream_bulk_tb.dut.theirs.lt' (not all)
%Warning-WIDTHEXPAND: {RTL_TB}/dut/dut_fifo.sv:6:11: of ours
%Warning-UNOPTFLAT: /a/m.v:7:1: Circular
- Verilator: Built from 0.048 MB sources
"""


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            ICARUS,
            [
                ("/a/m.v:3", "Port 1 (a) of m expects 24 bits, got 32. Pruning 8 high bits of it."),
                ("qsim_dut.sv:60", "Port 3 (acc) of m expects 24 bits, got 32."),
            ],
        ),
        (
            VERILATOR,
            [
                ("/a/m.v:5:12", "Operator ASSIGNW expects 4 bits, but 8. (WIDTHTRUNC)"),
                ("/a/m.v:6:11", "Latch inferred for signal 'lt' (not all) (LATCH)"),
                ("/a/m.v:7:1", "Circular (UNOPTFLAT)"),
            ],
        ),
        ("", []),
    ],
)  # fmt: skip
def test_compilers(text: str, wanted: list[tuple[str, str]]) -> None:
    found = compiled(text, FOLDER)
    assert [(each.place, each.text) for each in found] == wanted
    assert [each.of_wrapper for each in found] == [not place.startswith("/") for place, _ in wanted]
    assert parse(dump(found)) == tuple(found)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("ERROR: /a/d.v:3: $readmemh: Unable to open", "/a/d.v:3: $readmemh: Unable to open"),
        ("WARNING: /a/d.v:9: my warning", "/a/d.v:9: my warning"),
        ("%Warning: no.hex:0: $readmem file not found", "no.hex: $readmem file not found"),
        (
            "[55] %Error: /a/d.v:8: Assertion failed in qsim_stream_bulk_tb.dut.theirs.a: my error",
            "/a/d.v:8: Assertion failed in a: my error",
        ),
        (
            "[55] %Error: /a/d.v:8: Assertion failed in qsim_stream_bulk_tb.dut.theirs: my error",
            "/a/d.v:8: Assertion failed in theirs: my error",
        ),
        (f"WARNING: {RTL_TB}/bulk/stream_bulk_tb.sv:7: $readmemh(in.0.hex): Not enough words", ""),
        ("       Time: 55 Scope: t.d", ""),
        ("a line that the design displays: 3", ""),
    ],
)  # fmt: skip
def test_simulations(line: str, wanted: str) -> None:
    assert [each.line() for each in simulated(f"{line}\n{line}\n")] == ([wanted] if wanted else [])


def test_a_place_below_the_current_directory_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Message(f"{tmp_path}/a/m.v:3", "no").line() == "a/m.v:3: no"
    assert Message(f"{tmp_path.parent}/m.v:3", "no").line() == f"{tmp_path.parent}/m.v:3: no"
