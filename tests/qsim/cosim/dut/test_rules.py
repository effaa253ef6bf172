"""What a dut.toml must not combine: each is refused in one line that names the place."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qsim.cosim.dut import Dut, design, job, load, without_unfit
from qsim.cosim.dut.values import literal
from qsim.cosim.dut.wrapper import wrapper
from qsim.cosim.runner import Settings
from qsim.cosim.start import with_dut
from qsim.errors import InputError, UsageError
from tests.qsim.cosim.jobs import array_cases as make
from tests.rtl.sums import sums
from tests.tree import DESIGNS

ACC = 'acc = { port = "acc", bits = 20, signed = true'
BIAS = 'bias = { port = "bias", bits = 20, signed = true'
CLOCK = 'clock = "clk"'


def text(name: str) -> str:
    return (DESIGNS / f"{name}.toml").read_text("utf-8")


def changed(tmp_path: Path, name: str, old: str, new: str) -> Dut:
    """Return a design of the tests with one change of its binding."""
    whole = text(name)
    assert old in whole
    for source in DESIGNS.glob(f"{name}.*v"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    path = tmp_path / "dut.toml"
    path.write_text(whole.replace(old, new, 1), "utf-8")
    return load(path)


REFUSED = [
    # clocks
    ("lasts", CLOCK, "", "clock: only a combinational module has no clock"),
    ("constants", CLOCK, "", "clock: only a combinational module has no clock"),
    ("encoded", "latency = 0", 'latency = 0\n[reset]\nport = "rst"', "[reset]: a module wit"),
    ("encoded", "latency = 0", "latency = 0\n[clocks]\nf = { ratio = 2 }", "[clocks]: a modul"),
    ("clocks", "ratio = 1", "ratio = 3", "clocks.fast: ratio 2 does not divide the fastest"),
    ("clocks", "ratio = 2", "ratio = 17", "ratio must not be 17"),
    ("clocks", "out_clk", "clk", "clocks: port 'clk' is bound twice: clock and clocks"),
    # handshakes
    ("start_done", 'start = "start"', "", "needs a port 'start' on its input side"),
    ("start_done", 'done = "done"', "", "needs a port 'done' on its output side"),
    ("start_done", 'start = "start"', 'valid = "start"', "there is no field 'valid'"),
    ("start_done", CLOCK, f"{CLOCK}\ninterval = 3", "interval: start and done say when"),
    ("start_done", f"{ACC} }}", f'{ACC}, valid = "v" }}', "streams of their own need valid"),
    ("lasts", '[input]\nvalid = "in_valid"', "[input]", "needs a port 'valid' on its input side"),
    ("shared", 'valid = "in_valid"', 'valid = "in_valid"\nready = "r"', "has no port 'ready'"),
    ("constants", "[tie]", '[output]\nvalid = "v"\n[tie]', "has no port 'valid' on its output"),
    ("credits", 'ready = "in_ready"', 'ready_active = "low"', "ready_active is the level"),
    ("credits", 'ready = "in_ready"', 'ready = "in_ready"\nready_active = "up"', "not be 'up'"),
    ("lasts", 'last = "in_last"', "", "[output]: bias_add makes no packets"),
    ("lasts", CLOCK, f"{CLOCK}\nlanes = 2", "[output]: several operations a beat have no 'last'"),
    # packets
    ("lasts", CLOCK, f"{CLOCK}\npacket = 2", "packet: bias_add has no packets"),
    ("lasts", "[reset]", "[array]\nrows = 2\n[reset]", "[array]: bias_add has no array"),
    ("maximum", "rows = 1", "rows = 1\ncolumns = 2", "[array]: pooling has rows alone"),
    ("maximum", "packet = 4", "", "[input]: the beats of max_pool form packets"),
    ("vectors", CLOCK, f"{CLOCK}\npacket = 4", "packet: the beats of matmul form packets"),
    ("start_done", '"bias_add"', '"max_pool"', "handshake: the beats of max_pool form packets, wh"),
    ("vectors", '"matmul"', '["matmul", "max_pool"]', "primitive must not be ['matmul', "),
    ("vectors", '"matmul"', '["matmul", "matmul"]', "primitive must not be"),
    ("vectors", '"matmul"', "[]", "primitive must not be []"),
    # operands
    ("shared", 'port = "bias"', 'port = ["b", "c"]', "operands.bias.shared: a field that all"),
    ("vectors", '"b_last"', '"b_last", static = true', "operands.weight.static: a register of a"),
    ("lasts", f"{ACC} }}", f"{ACC}, loaded = true }}", "operands.acc.loaded: what is loaded"),
    ("loaded", '"valid" }', '"valid", loaded = true }', "operands.x.loaded: an operand must"),
    ("arrays", 'port = "bias"', 'port = ["a", "b"]', "operands.bias.unpacked: an unpacked"),
    ("arrays", '"ascending"', '"up"', "unpacked must not be 'up'"),
    ("shared", "port = \"bias\"", 'sizes = [2], port = "bias"', "operands.bias.sizes: only an unp"),
    ("matrix", "[2, 2]", "[2, 0]", "sizes must not be [2, 0]"),
    ("encoded", "scale = 2", "scale = 0", "scale must not be 0"),
    ("encoded", "add = 1", "add = 1.5", "add must not be 1.5"),
    ("encoded", 'bits = 20, signed = true', 'bits = 20, signed = true, add = 1', "no field 'add'"),
    ("lasts", 'port = "bias"', 'port = "in_valid"', "operands: port 'in_valid' is bound twice"),
    ("lasts", 'port = "bias"', 'port = "a.b"', "is a signal of an interface, but there is no int"),
    ("lasts", 'port = "bias"', 'port = "a.b.c"', "port must not be 'a.b.c'"),
    # values
    ("constants", "en = 1", "en = true", "en must not be True"),
    ("constants", "en = 1", "acc = 1", "operands: port 'acc' is bound twice: tie and operands"),
    ("constants", "value = 9, bits = 4", "value = 16, bits = 4", "value must not be 16"),
    ("constants", "bits = 96", "bits = 95", "hex must not be"),
    ("constants", '"8000_', '"x8000_', "hex must not be 'x8000_"),
    ("constants", "0.25", "nan", "GAIN must not be nan"),
    ("constants", '"HALF_UP"', '"HALF\\tUP"', "MODE must not be"),
    ("bus", 'type = "sum_if"', 'type = "sum if"', "type must not be 'sum if'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "message"), REFUSED)
def test_refuses(tmp_path: Path, name: str, old: str, new: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        changed(tmp_path, name, old, new)
    assert "dut.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.accepted


def test_a_module_of_products_may_serve_several_primitives(tmp_path: Path) -> None:
    dut = changed(tmp_path, "vectors", '"matmul"', '["matmul", "linear"]')
    assert dut.serves == ("matmul", "linear")
    linear = job(dut, make.linear((2, 6), (2, 6), x_zero_point=0), make.target(3, 3))
    assert linear.unit.primitive == "linear"
    assert design(dut, linear.unit)
    image = job(dut, make.correlation((1, 2, 3, 3), (2, 2, 2, 2)), make.target(3, 3))
    with pytest.raises(UsageError, match="the design computes matmul, linear, not correlation"):
        design(dut, image.unit)


def test_refuses_sources_whose_own_files_no_compiler_tells(tmp_path: Path) -> None:
    (tmp_path / "model.cpp").touch()
    with pytest.raises(UsageError, match=r"'model\.cpp' is no Verilog"):
        changed(tmp_path, "lasts", '["lasts.sv"]', '["lasts.sv", "model.cpp"]')


def test_refuses_names_of_the_benches(tmp_path: Path) -> None:
    dut = changed(tmp_path, "lasts", 'top = "lasts"', 'top = "qsim_dut"')
    with pytest.raises(UsageError, match="'qsim_dut' has a name that the benches keep"):
        design(dut, sums(4).unit)


def test_refuses_an_array_that_is_a_vector_for_another_field(tmp_path: Path) -> None:
    old = 'bias = { port = "bias", bits = 20, signed = true, unpacked = "descending" }'
    new = 'bias = { port = "acc", bits = 20, signed = true, unpacked = "ascending", lsb = 40 }'
    dut = changed(tmp_path, "arrays", old, new)
    with pytest.raises(UsageError, match="an array for one field and a vector for another"):
        wrapper(dut, sums(4).unit)


def test_refuses_sizes_of_other_lanes(tmp_path: Path) -> None:
    dut = changed(tmp_path, "matrix", "sizes = [2, 2]", "sizes = [2, 3]")
    work = job(dut, make.linear((2, 6), (2, 6), x_zero_point=0), make.target(3, 3))
    with pytest.raises(UsageError, match="an array of 2 x 3 has not 4 lanes"):
        design(dut, work.unit)


def test_interfaces_are_refused_on_icarus_before_anything_is_built() -> None:
    with pytest.raises(UsageError, match="Icarus has no interfaces, and 'in' is one"):
        with_dut(Settings(simulator="icarus"), DESIGNS / "bus.toml")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (-(1 << 31), "-33'sd2147483648"),
        (1 << 40, "42'sd1099511627776"),
        (0.5, "0.5"),
        (1e300, "1e+300"),
        (-2.0, "-2.0"),
        ('a"b\\', '"a\\"b\\\\"'),
    ],
)
def test_parameters_as_verilog_writes_them(value: float | str, text: str) -> None:
    assert literal(value) == text


def test_values_are_refused_as_the_port_would_have_them() -> None:
    work = sums(40)
    dut = load(DESIGNS / "encoded.toml")
    assert without_unfit(dut, work, strict=True)[0] is work
    narrow = {**dut.operands, "acc": replace(dut.operands["acc"], bits=20)}
    with pytest.raises(
        InputError, match=r"has acc = -?\d+: acc has a 20-bit port, which .* of -?\d+ \* acc \+"
    ):
        without_unfit(replace(dut, operands=narrow), work, strict=True)
    kept, reasons = without_unfit(replace(dut, operands=narrow), work)
    assert 0 < kept.elements == work.elements - sum(reasons.values()) < work.elements


def test_packets_must_be_as_long_as_the_design_counts() -> None:
    dut = load(DESIGNS / "loaded.toml")
    target = make.target(2, 2)
    short = job(dut, make.linear((2, 5), (2, 5), x_zero_point=0), target)
    assert without_unfit(dut, short, strict=True)[0] is short  # filled up
    assert np.flatnonzero(short.last).tolist() == [8, 17, 26, 35]
    assert not short.unit.inputs.unpack(short.beats)["x"].reshape(4, 9)[:, 5:].any()
    long = job(dut, make.linear((2, 10), (2, 10), x_zero_point=0), target)
    with pytest.raises(
        InputError, match="packet 0 of 'linear' has 10 beats: the design counts 9 beats a packet"
    ):
        without_unfit(dut, long, strict=True)
    kept, reasons = without_unfit(dut, long)
    assert not kept.elements
    assert not len(kept.beats)
    assert reasons == {"the design counts 9 beats a packet": long.elements}


def test_a_register_stays_for_a_packet(tmp_path: Path) -> None:
    dut = changed(tmp_path, "vectors", ', valid = "b_valid", ready = "b_ready", last = "b_last"',
                  ", static = true")  # fmt: skip
    work = job(dut, make.matmul((2, 6), (6, 2), a_zero_point=0, b_zero_point=0), make.target(2, 2))
    with pytest.raises(InputError, match="weight is a register of the layer, which stays through"):
        without_unfit(dut, work, strict=True)


def test_lanes_that_share_a_field_have_one_value(tmp_path: Path) -> None:
    old = 'weight = { port = "b", bits = 8, signed = true'
    dut = changed(tmp_path, "vectors", old, f"{old}, shared = true")
    work = job(dut, make.matmul((2, 6), (6, 2), a_zero_point=0, b_zero_point=0), make.target(2, 2))
    with pytest.raises(InputError, match=r"has weight = -?\d+: all lanes of a beat share weight"):
        without_unfit(dut, work, strict=True)
