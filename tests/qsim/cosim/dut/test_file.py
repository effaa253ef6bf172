"""Reading dut.toml: what is accepted, and that every mistake is told with the field's name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qsim.cosim.dut.binding import Dut
from qsim.cosim.dut.file import load
from qsim.cosim.dut.fits import require_unit
from qsim.cosim.dut.wrapper import wrapper
from qsim.cosim.jobs.beats import Field, Layout
from qsim.cosim.jobs.unit import Unit
from qsim.errors import QsimError, UsageError
from tests.tree import ROOT, SCALER

DUTS = ROOT / "tests" / "rtl" / "duts"
SCALER_TOML = SCALER / "scaler.toml"
TEXT = (DUTS / "adder_streams.toml").read_text(encoding="utf-8")


def unit(bits: int = 20) -> Unit:
    fields = (Field("acc", bits, signed=True), Field("bias", bits, signed=True))
    outputs = Layout((Field("sum", bits, signed=True),))
    return Unit("bias_add", "bias_add", (), {}, Layout(fields), outputs)


def read(tmp_path: Path, text: str) -> Dut:
    (tmp_path / "adder_streams.sv").write_text("module adder_streams; endmodule")
    path = tmp_path / "dut.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


@pytest.mark.parametrize("path", [*sorted(DUTS.glob("*.toml")), SCALER_TOML], ids=lambda p: p.stem)
def test_reads_the_examples(path: Path) -> None:
    dut = load(path)
    assert dut.sources
    assert all(source.is_file() for source in dut.sources)
    assert dut.top == path.stem


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema = 1", "schema = 2", "schema must not be 2"),
        ('primitive = "bias_add"', 'primitive = "bias"', "primitive must not be 'bias'"),
        ('top = "adder_streams"', 'top = "a b"', "top must not be 'a b'"),
        ('top = "adder_streams"\n', "", "'top' is missing"),
        ("adder_streams.sv", "gone.sv", "sources must not be 'gone.sv'"),
        ('sources = ["adder_streams.sv"]', "sources = 3", "sources must not be 3"),
        ('"axi_stream"', '"wires"', "handshake must not be 'wires'"),
        ('clock = "clk"', 'clock = "clk"\nlatency = 3', "latency must not be 3"),
        ('clock = "clk"', 'clock = "clk"\nlanes = 0', "lanes must not be 0"),
        ('clock = "clk"', 'clock = "clk"\nclocks = 2', "[clocks]: must be a table, not 2"),
        ('clock = "clk"', 'clock = "clk"\nspeed = 2', "no field 'speed'"),
        ('port = "reset"', 'port = "reset"\nactive = "up"', "active must not be 'up'"),
        ('port = "reset"', 'port = "reset"\nlevel = 1', "no field 'level'"),
        ('[reset]\nport = "reset"\n', "", "needs a reset"),
        ('valid = "sum_valid"\n', "", "needs a port 'valid' on its output side"),
        (
            "bits = 20, signed = true, valid",
            "bits = 65, signed = true, valid",
            "bits must not be 65",
        ),
        ("signed = true }", "signed = 1 }", "signed must not be 1"),
        ("signed = true }", "signed = true, msb = 3 }", "no field 'msb'"),
        ("[operands]", "[operands", "is not TOML"),
        ("[results]", "[parameters]\nW = [1]\n[results]", "W must not be [1]"),
        ("[results]", '[parameters]\n"a b" = 1\n[results]', "a name must not be 'a b'"),
        ("[results]", "[defines]\nW = 1\n[results]", "W must not be 1"),
        ("schema = 1", "schema = 1\nparameters = 3", "must be a table, not 3"),
        ("schema = 1", "schema = 3", "schema must not be 3 (accepted: 1)"),
        ("[results]", "[defines]\nW = 1\n[results]", 'accepted: text on one line, as W = "1"'),
        ("[results]", '[defines]\n"A+B" = "1"\n[results]', "macro's name must not be 'A+B'"),
        ("adder_streams.sv", "a\\u0000b.v", "files that exist, relative to"),
        ("adder_streams.sv", "a" * 5000, "files that exist, relative to"),
        ("adder_streams.sv", "loop.v", "sources must not be 'loop.v'"),
        ('clock = "clk"', 'clock = "clk"\nspeed = 2', "settle, packet"),
    ],
)
def test_refuses(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    (tmp_path / "loop.v").symlink_to("loop.v")
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        read(tmp_path, TEXT.replace(old, new, 1))
    assert "dut.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone.toml"):
        with pytest.raises(UsageError, match=r"cannot be read|it is a directory"):
            load(path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is not UTF-8"):
        load(tmp_path / "bytes.toml")
    (tmp_path / "long.toml").write_text("#" * (64 * 1024 + 1))
    with pytest.raises(UsageError, match="at most 65,536 bytes"):
        load(tmp_path / "long.toml")


def test_every_truncation_is_told_in_one_line(tmp_path: Path) -> None:
    messages = []
    for end in range(0, len(TEXT), 7):
        try:
            read(tmp_path, TEXT[:end])
        except QsimError as error:
            messages.append(str(error))
    assert len(messages) > 50
    assert not any("\n" in message for message in messages)


BIAS = TEXT[TEXT.index("bias = {") : TEXT.index("[results]")].strip() + "\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bias = {", "offset = {", "has no field 'offset'"),
        (BIAS, "", "must have a port for 'bias'"),
        ('port = "bias"', 'port = ["b0", "b1"]', "not 2 ports"),
        ('port = "bias"', 'port = "acc"', "share bit 0 of port 'acc'"),
        ("sum = {", "total = {", "has no field 'total'"),
    ],
)  # fmt: skip
def test_refuses_what_does_not_fit_the_primitive(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in TEXT
    dut = read(tmp_path, TEXT.replace(old, new, 1))
    with pytest.raises(UsageError, match=re.escape(message)):
        wrapper(dut, unit())


def test_refuses_another_primitive() -> None:
    with pytest.raises(UsageError, match="computes requantize, not bias_add"):
        require_unit(load(SCALER_TOML), unit())


def test_operations_side_by_side_are_not_packets(tmp_path: Path) -> None:
    text = TEXT.replace('"bias_add"', '"max_pool"').replace(
        'clock = "clk"', 'clock = "clk"\nlanes = 2'
    )
    with pytest.raises(UsageError, match="a port that says which is the last"):
        read(tmp_path, text)
