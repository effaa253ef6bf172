"""What gets into a build and a simulation of somebody else's design, wherever it lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from qsim.cosim.dut.file import load
from qsim.cosim.dut.wrapper import design
from qsim.cosim.lanes import recipe, runner
from qsim.cosim.simulators import Build, LaneName, build
from qsim.cosim.simulators.toolchain import find
from qsim.errors import UsageError
from tests.rtl.test_dut import DUTS, sums


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the design, which is simulated from another directory."""
    shutil.copytree(DUTS / "names", tmp_path / "names")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "names"


def made(folder: Path, simulator: str, lane: LaneName = "bulk") -> Build:
    dut = load(folder / "dut.toml")
    return build(recipe(lane, design(dut, sums(8, wide=False).unit), find(simulator)))


@pytest.mark.parametrize(
    ("simulator", "lane"),
    [
        ("icarus", "bulk"),
        ("icarus", "cocotb"),
        ("verilator", "bulk"),
        pytest.param("verilator", "cocotb", marks=pytest.mark.soak),
    ],
)
def test_a_design_of_any_names_opens_its_files_from_its_own_folder(
    folder: Path, simulator: str, lane: LaneName
) -> None:
    program, work, run = made(folder, simulator, lane), sums(8, wide=False), runner(lane)
    result = run(work, program)
    assert result.agrees, result
    assert not result.warnings
    before = sorted(path.name for path in folder.rglob("*"))
    for name in ("more.hex", "less.bin", "last.txt"):  # of $readmemh, $readmemb and $fopen
        old = (folder / "mem" / name).read_text()
        (folder / "mem" / name).write_text(f"{old.rstrip()[:-1]}1\n")
        assert run(work, program).differing == len(work.expected), name
        (folder / "mem" / name).write_text(old)
    (folder / "mem" / "more.hex").unlink()
    said = run(work, program).warnings
    assert len(said) == 1
    assert "mem/more.hex" in said[0]
    assert ("names/dut.v:14: $readmemh" in said[0]) == (simulator == "icarus")
    (folder / "mem" / "more.hex").write_text("00000\n")
    assert sorted(path.name for path in folder.rglob("*")) == before


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_warnings_about_a_design_come_with_its_build(
    folder: Path, simulator: str, no_make: None
) -> None:
    first = made(folder, simulator)
    mine = [each for each in first.warnings if not each.of_wrapper]
    assert [each.place.partition(":")[0] for each in mine] == [str(folder / "dut.v")]
    assert mine[0].line().startswith("names/dut.v:24")
    assert "expects 1 bit" in mine[0].text
    assert ("(WIDTHTRUNC)" in mine[0].text) == (simulator == "verilator")
    again = made(folder, simulator)
    assert (again.path, again.warnings) == (first.path, first.warnings)


def test_a_module_of_the_benches_name_is_refused(folder: Path) -> None:
    with (folder / "dut.v").open("a") as source:
        source.write("module qsim_fifo (input a);\nendmodule\n")
    with pytest.raises(UsageError, match="'qsim_fifo' has a name that the benches keep"):
        made(folder, "icarus")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("latency = 1", "latency = 2"),
        ("20'd1+20'd2-20'd3", "20'd1+20'd2-20'd2"),
        ('port = "bias", bits = 20', 'port = "bias", bits = 19'),
        ('["inc+lib"]', '["inc+lib", "mem"]'),
        ("[operands]", "[parameters]\nMEMORY = 1\n[operands]"),
    ],
)
def test_every_field_of_the_file_decides_the_build(folder: Path, old: str, new: str) -> None:
    text = (folder / "dut.toml").read_text()
    assert old in text

    def key() -> str:
        unit = sums(8, wide=False).unit
        return recipe("bulk", design(load(folder / "dut.toml"), unit), find("icarus")).key()

    before = key()
    (folder / "dut.toml").write_text(text.replace(old, new, 1))
    assert key() != before
