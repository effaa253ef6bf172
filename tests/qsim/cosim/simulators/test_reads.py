"""A build holds while everything that its compiler read is as it was: each way in, one by one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from qsim.cosim.lanes.bulk import bulk_recipe, run_bulk
from qsim.cosim.simulators import Build, build, compiling, reads, toolchain
from qsim.errors import UsageError
from tests.qsim.cosim.simulators.toy_rtl import SIMULATORS, TEXT, toy_design, toy_job

ONE, TWO = "`define ONE 8'd1\n", "`define ONE 8'd2\n"
# The toy adds `ONE: what comes before it, further files, the file that decides, macros.
WAYS = {
    "beside the source": ('`include "one.vh"\n', {}, "one.vh", {}),
    "in a folder": ('`include "one.vh"\n', {}, "inc/one.vh", {}),
    "in a folder's folder": ('`include "sub/one.vh"\n', {}, "inc/sub/one.vh", {}),
    "above the source": ('`include "../one.vh"\n', {}, "../one.vh", {}),
    "included by an included one": (
        '`include "a.vh"\n',
        {"inc/a.vh": '`include "b/b.vh"\n', "inc/b/b.vh": '`include "b/c.vh"\n'},
        "inc/b/c.vh",
        {},
    ),
    "of any suffix": ('`include "one.parameters"\n', {}, "inc/one.parameters", {}),
    "of no suffix": ('`include "one"\n', {}, "inc/one", {}),
    "named by a macro": ("`include `FILE\n", {}, "inc/one.vh", {"FILE": '"one.vh"'}),
    "in a folder with a plus": ('`include "a+b/one.vh"\n', {}, "inc/a+b/one.vh", {}),
    "in a folder with a blank": ('`include "a b/one.vh"\n', {}, "inc/a b/one.vh", {}),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for sources, two levels below that of the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "all" / "src" / "inc").mkdir(parents=True)
    return tmp_path / "all" / "src"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def made(folder: Path, text: str, simulator: str = "icarus", **changes: object) -> Build:
    plain = toy_design(folder, text)
    changes = {"folder": folder, "include": (folder / "inc",)} | changes
    return build(bulk_recipe(dataclasses.replace(plain, **changes), toolchain.find(simulator)))


@pytest.mark.parametrize(
    ("way", "simulator"),
    [
        *((way, "icarus") for way in WAYS),
        *((way, "verilator") for way in ("included by an included one", "of any suffix")),
    ],
)
def test_an_edited_file_is_noticed(
    folder: Path, way: str, simulator: str, request: pytest.FixtureRequest
) -> None:
    if simulator == "verilator":
        request.getfixturevalue("no_make")
    head, files, decides, defines = WAYS[way]
    for name, text in files.items():
        write(folder / name, text)
    text = head + TEXT.replace("8'd1)", "`ONE)")
    paths = []
    for content in (ONE, TWO, ONE):
        write(folder / decides, content)
        program = made(folder, text, simulator, defines=defines)
        paths.append(program.path)
        if simulator == "icarus":
            assert run_bulk(toy_job(5), program).agrees == (content == ONE)
    assert paths[0] == paths[2] != paths[1]


def test_a_file_beside_what_a_link_leads_to_is_noticed(folder: Path) -> None:
    """Not the one beside the link, which has the same name."""
    (folder / "far" / "deep").mkdir(parents=True)
    (folder / "link").symlink_to(folder / "far" / "deep")
    write(folder / "one.vh", ONE)
    text = '`include "link/../one.vh"\n' + TEXT.replace("8'd1)", "`ONE)")
    for content in (ONE, TWO):
        write(folder / "far" / "one.vh", content)
        assert run_bulk(toy_job(5), made(folder, text)).agrees == (content == ONE)


MODULE = "module one (output logic [7:0] y);\n{}assign y = {};\nendmodule\n"


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize(
    ("file", "head"),
    [("inc/one.v", ""), ("inc/one.sv", ""), ("inc/below.vh", '`include "below.vh"\n')],
)
def test_an_edited_module_that_nobody_named_is_noticed(
    folder: Path, file: str, head: str, simulator: str, request: pytest.FixtureRequest
) -> None:
    if simulator == "verilator":
        request.getfixturevalue("no_make")
    text = TEXT.replace("8'd1)", "amount)").replace(
        "endmodule", "logic [7:0] amount;\none one (.y(amount));\nendmodule"
    )
    paths = []
    for value in ("8'd1", "8'd2", "8'd1"):
        write(folder / "inc" / "one.v", MODULE.format(head, "`VALUE" if head else value))
        write(folder / file, f"`define VALUE {value}\n" if head else MODULE.format("", value))
        if file.endswith(".sv"):
            (folder / "inc" / "one.v").unlink()
        paths.append(made(folder, text, simulator).path)
        if simulator == "icarus":
            assert run_bulk(toy_job(5), made(folder, text)).agrees == (value == "8'd1")
    assert paths[0] == paths[2] != paths[1]


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_file_that_comes_before_another_is_noticed(
    folder: Path, simulator: str, no_make: None
) -> None:
    text = '`include "sub/one.vh"\n' + TEXT.replace("8'd1)", "`ONE)")
    (folder / "first").mkdir()
    include = (folder / "first", folder / "inc")
    write(folder / "inc" / "sub" / "one.vh", ONE)
    late = made(folder, text, simulator, include=include).path
    for name, comes_before in (("first/sub/one.vh", True), ("sub/one.vh", False)):
        write(folder / name, TWO)
        assert (made(folder, text, simulator, include=include).path != late) == comes_before
        (folder / name).unlink()
        assert made(folder, text, simulator, include=include).path == late


def test_the_same_sources_in_another_folder_are_another_build(folder: Path) -> None:
    text = '`include "one.vh"\n' + TEXT.replace("8'd1)", "`ONE)")
    other = folder.with_name("other")
    (other / "inc").mkdir(parents=True)
    write(folder / "one.vh", ONE)
    write(other / "one.vh", TWO)
    assert run_bulk(toy_job(5), made(folder, text)).agrees
    assert not run_bulk(toy_job(5), made(other, text)).agrees


def test_macros_mean_the_same_to_both(folder: Path, no_make: None) -> None:
    """A text with what either compiler might take for its own: it is part of the module's name."""
    values = {"SUM": "1 + 2-2", "TEXT": '"a+b=c, d // e"', "NONE": ""}
    text = TEXT.replace("8'd1)", "8'(`SUM))").replace(
        "endmodule",
        '`ifdef NONE\nif (`TEXT != "a+b=c, d // e") missing here ();\n`endif\nendmodule',
    )
    for simulator in SIMULATORS:
        program = made(folder, text, simulator, defines=values)
        assert not [each for each in program.warnings if "missing" in each.text]
    assert run_bulk(toy_job(5), made(folder, text, defines=values)).agrees


def test_a_file_that_changes_while_it_is_compiled(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '`include "one.vh"\n' + TEXT.replace("8'd1)", "`ONE)")
    write(folder / "one.vh", ONE)
    contents = [TWO, ONE]
    compiler = compiling.run

    def run(*arguments: object) -> str:
        said = compiler(*arguments)
        if contents:
            write(folder / "one.vh", contents.pop())
        return said

    monkeypatch.setattr(compiling, "run", run)
    program = made(folder, text)
    assert not contents
    assert not run_bulk(toy_job(5), program).agrees  # as the file is now
    contents[:] = [ONE, TWO] * 9
    write(folder / "one.vh", "`define ONE 8'd3\n")
    with pytest.raises(UsageError, match="sources changed while they were compiled"):
        made(folder, text)


def test_what_was_noted_is_read_with_care(folder: Path) -> None:
    text = '`include "one.vh"\n' + TEXT.replace("8'd1)", "`ONE)")
    write(folder / "one.vh", ONE)
    first = made(folder, text)
    (note,) = (folder.parent.parent / "cache" / "qsim" / "reads").iterdir()
    for content in ("", "[", "{}", "[1]", '[{"build": 1}]', '[{"files": [], "absent": 3}]'):
        note.write_text(content)
        assert made(folder, text) == first
    note.unlink()
    assert made(folder, text) == first
    assert not reads.hold({str(folder / "gone.vh"): "0"}, [])
