"""Builds: kept by content, whole or not at all, and errors in the compiler's own words."""

from __future__ import annotations

import dataclasses
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qsim.cosim.lanes.bulk import bulk_recipe, run_bulk
from qsim.cosim.simulators import (
    BuildError,
    Recipe,
    build,
    build_all,
    cache,
    process,
    runtime,
    toolchain,
)
from qsim.cosim.simulators.compile_errors import first_error
from qsim.cosim.simulators.wrapper import Design, design
from qsim.errors import UsageError
from tests.qsim.cosim.simulators.toy_rtl import SIMULATORS, TEXT, UNIT, toy_design, toy_job


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "qsim" / "builds"


def recipe(folder: Path, text: str = TEXT, simulator: str = "icarus") -> Recipe:
    folder.mkdir(exist_ok=True)
    return bulk_recipe(toy_design(folder, text), toolchain.find(simulator))


def test_a_build_is_made_once(home: Path, tmp_path: Path) -> None:
    first = build(recipe(tmp_path / "a"))
    made = first.program.stat().st_mtime_ns
    again = build(recipe(tmp_path / "b"))  # other paths, the same contents
    assert again == first
    assert again.program.stat().st_mtime_ns == made
    assert [path.name for path in home.iterdir()] == [first.path.name]


@pytest.mark.parametrize(
    "change",
    [
        lambda r, _: dataclasses.replace(r, flags=("-DX",)),
        lambda r, _: dataclasses.replace(r, parameters={**r.parameters, "DEPTH": 8}),
        lambda r, _: dataclasses.replace(r, waves=True),
        lambda r, _: dataclasses.replace(
            r, simulator=dataclasses.replace(r.simulator, fingerprint="another")
        ),
        lambda r, _: dataclasses.replace(
            r, design=dataclasses.replace(r.design, defines={"A": "1"})
        ),
        lambda r, folder: recipe(folder, TEXT.replace("8'd1", "8'd3")),
        lambda r, folder: dataclasses.replace(
            r, design=dataclasses.replace(r.design, wrapper=r.design.wrapper + "// more\n")
        ),
    ],
)
def test_what_decides_a_build(home: Path, tmp_path: Path, change) -> None:
    plain = recipe(tmp_path / "a")
    assert change(plain, tmp_path / "b").key() != plain.key()


@pytest.mark.parametrize("damage", ["program", "truncated", "manifest", "no manifest", "empty"])
def test_a_damaged_build_is_made_again(home: Path, tmp_path: Path, damage: str) -> None:
    wanted = recipe(tmp_path / "a")
    made = build(wanted)
    if damage == "program":
        made.program.write_bytes(made.program.read_bytes().replace(b"1", b"0"))
    elif damage == "truncated":
        made.program.write_bytes(made.program.read_bytes()[:-10])
    elif damage == "manifest":
        (made.path / "build.json").write_text('{"files": 3}')
    elif damage == "no manifest":
        (made.path / "build.json").unlink()
    else:
        for path in made.path.iterdir():
            path.unlink()
    assert run_bulk(toy_job(9), build(wanted)).agrees


@pytest.mark.parametrize("splits", [0, 1])
def test_headers_of_ours_are_left_out_where_verilator_splits(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, splits: int
) -> None:
    said: list[str] = []
    folder = tmp_path / "made"
    folder.mkdir()

    def run(_recipe: Recipe, command: list[str], _place: Path) -> None:
        (folder / "qsim.fast.gch").touch()
        said.extend(command)

    monkeypatch.setattr(runtime.compiling, "run", run)
    (folder / "Vsim_classes.mk").write_text(f"VM_PARALLEL_BUILDS = {splits}\n")
    runtime.make(recipe(tmp_path / "a", simulator="verilator"), folder)
    assert any("-include qsim.fast" in word for word in said) is not bool(splits)


@pytest.mark.soak
def test_a_design_that_verilator_splits(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sources share a precompiled header, as those of every large design do."""
    quick = tuple(word.replace("-O2", "-O0") for word in runtime.MAKE)
    assert quick != runtime.MAKE
    monkeypatch.setattr(runtime, "MAKE", quick)  # a runtime library of its own is made
    plain = recipe(tmp_path / "a", simulator="verilator")
    split = dataclasses.replace(plain, flags=(*plain.flags, "--output-split", "400"))
    assert run_bulk(toy_job(9), build(split)).agrees


def test_builds_race(home: Path, tmp_path: Path) -> None:
    wanted = recipe(tmp_path / "a")
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: build(wanted), range(4)))
    assert len({each.program for each in made}) == 1
    assert run_bulk(toy_job(9), made[0]).agrees
    assert not [path for path in home.iterdir() if path.name.startswith(".")]


def test_builds_side_by_side(home: Path, tmp_path: Path) -> None:
    texts = [TEXT, TEXT.replace("8'd1)", "8'd9)"), TEXT]
    recipes = [recipe(tmp_path / str(i), text) for i, text in enumerate(texts)]
    counted: list[int] = []
    made = build_all(recipes, 2, counted.append)
    assert [r.key() in made for r in recipes] == [True, True, True]
    assert (len(made), sum(counted)) == (2, 2)


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("y <= y ^ 8'h80", "y <= y 8'h80"),  # a syntax error
        ("again <= 0;\n      stopped", "agian <= 0;\n      stopped"),  # no such name
    ],
)
def test_the_compilers_first_error(
    home: Path, tmp_path: Path, simulator: str, old: str, new: str
) -> None:
    assert old in TEXT
    text = TEXT.replace(old, new)
    number = next(i for i, t in enumerate(text.splitlines(), 1) if new.splitlines()[0] in t)
    with pytest.raises(BuildError) as error:
        build(recipe(tmp_path / "a", text, simulator))
    assert error.value.where.startswith(f"{tmp_path}/a/toy.sv:{number}")
    assert error.value.exit_status == 2
    assert "\n" not in str(error.value)
    log = Path(error.value.accepted.rpartition(" ")[2])
    assert log.is_file()
    assert "toy.sv" in log.read_text()
    assert not [path for path in home.iterdir() if path.is_dir() and path.name[:1] != "r"]


def test_a_module_that_is_not_there(home: Path, tmp_path: Path) -> None:
    text = TEXT.replace("module toy", "module other")
    for simulator in SIMULATORS:
        with pytest.raises(BuildError, match="toy"):
            build(recipe(tmp_path / "a", text, simulator))


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"needs a file that is not there: .*toy\.sv"):
        design(UNIT, tmp_path)
    gone = Design("", (tmp_path / "gone.v",), 1, 1)
    with pytest.raises(UsageError, match=r"gone\.v: cannot be read: no such file"):
        bulk_recipe(gone, toolchain.find("icarus")).key()


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("%Warning-X: a.sv:1:2: w\n%Error: b.sv:3:4: Bad\n", "b.sv:3:4", "Bad"),
        ("%Error-MODMISSING: b.sv:3:4: No", "b.sv:3:4", "No"),
        ("%Error: Exiting due to", "", "Exiting due to"),
        ("a.sv:2: warning: error ahead\nb.sv:9: error: Unknown", "b.sv:9", "Unknown"),
        ("b.sv:9: syntax error\nI give up.", "b.sv:9", "syntax error"),
        ("x.cpp:5:7: fatal error: no.h: No such", "x.cpp:5:7", "no.h: No such"),
        ("error: Unable to find the root module", "", "Unable to find the root module"),
        ("make: *** [Vsim.mk:3: sim] Error 1", "", "[Vsim.mk:3: sim] Error 1"),
        ("nothing said\n", "", "nothing said"),
        ("", "", ""),
    ],
)
def test_first_error(text: str, where: str, message: str) -> None:
    assert first_error(text) == (where, message)


def test_the_cache_must_be_ones_own(home: Path) -> None:
    home.mkdir(parents=True)
    home.chmod(0o777)
    with pytest.raises(UsageError, match="can be written by, somebody else"):
        cache.folder("builds")


def test_a_cache_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"cannot be made.*XDG_CACHE_HOME in a writable"):
        cache.folder("builds")


def test_pruning(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir(parents=True)
    now = time.time()
    for name, age in (("new", 60.0), ("day", 86400.0), ("week", 7 * 86400.0), ("old", 4e6)):
        (home / name).mkdir()
        (home / name / "sim").write_bytes(bytes(1000))
        os.utime(home / name, (now - age, now - age))
    cache.prune(home, keep=home / "old", now=now)
    assert {path.name for path in home.iterdir()} == {"new", "day", "week", "old"}
    cache.prune(home, keep=home / "new", now=now)
    assert {path.name for path in home.iterdir()} == {"new", "day", "week"}
    monkeypatch.setattr(cache, "MOST_BYTES", 2500)
    cache.prune(home, keep=home / "new", now=now)
    assert {path.name for path in home.iterdir()} == {"new", "day"}


def test_a_kept_runtime_is_checked(tmp_path: Path) -> None:
    made, kept, other = tmp_path / "made", tmp_path / "kept", tmp_path / "other"
    for folder in (made, other):
        folder.mkdir()
    assert not runtime.restore(kept, other)
    (made / "verilated.o").write_bytes(b"object")
    (made / "Vsim.o").write_bytes(b"the design's own")
    runtime.keep(made, kept)
    assert runtime.restore(kept, other)
    assert [path.name for path in other.iterdir()] == ["verilated.o"]
    (kept / "verilated.o").write_bytes(b"damaged")
    assert not runtime.restore(kept, other)
    runtime.keep(made, kept)
    assert runtime.restore(kept, other)


@pytest.mark.parametrize("names", [["fails", "a", "b", "c"], ["a", "fails", "b"]])
def test_one_failure_ends_all(tmp_path: Path, names: list[str]) -> None:
    def work(name: str) -> int:
        if name == "fails":
            time.sleep(0.5)
            raise UsageError("no")
        done = process.run(
            ["sleep", "60"],
            cwd=tmp_path,
            environment=os.environ,
            log=tmp_path / name,
            timeout=60,
        )
        return done.status

    started = time.monotonic()
    with pytest.raises(UsageError, match="no"):
        list(process.side_by_side(work, names, 2))
    assert time.monotonic() - started < 20
