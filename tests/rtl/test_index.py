"""rtl_tb/README.md lists every module with what is true of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

import pytest

from qsim.cosim.dut.wrapper import HELPERS
from qsim.cosim.jobs import job
from qsim.cosim.simulators.wrapper import RTL_TB
from qsim.golden import load
from tests.rtl.test_lint import TOPS
from tests.tree import GOLDEN
from tools.evidence.circuits import SHARED
from tools.mutation.__main__ import PRIMITIVES

# What a proof is of, where it is not the primitive's own core; and what no proof of a core reaches.
PROVED_BY: Final = {"softmax": "exponential"}
UNPROVED: Final = {"newton_inverse", "newton_root", "newton_scale", "newton_step"}
FOLDERS: Final = ("rtl", "formal", "dut", "bulk", "tb")
# What a row says of a module.
Row = tuple[str, tuple[str, ...], bool, bool]


@cache
def texts() -> dict[str, str]:
    """Return the text of every module, without comments, by its name."""
    found = {}
    for folder in FOLDERS:
        for path in (RTL_TB / folder).glob("*.sv"):
            text = re.sub(r"//[^\n]*", "", path.read_text("utf-8"))
            # What a scoreboard leaves open has the name of a module of rtl, which counts.
            found = {match[1]: match[0] for match in re.finditer(
                r"^module (\w+)\b.*?^endmodule", text, re.S | re.M
            )} | found  # fmt: skip
    return found


@cache
def instances(module: str) -> frozenset[str]:
    """Return the modules that a module instantiates."""
    known = "|".join(texts())
    return frozenset(re.findall(rf"^\s*({known})\s+(?:#\(|\w+ \()", texts()[module], re.M))


def below(roots: Iterable[str]) -> set[str]:
    """Return modules and all that they instantiate."""
    found: set[str] = set()
    left = set(roots)
    while left:
        module = left.pop()
        found.add(module)
        left |= instances(module) - found
    return found


def clocked(module: str) -> bool:
    return any(re.search(r"\bposedge\b", texts()[each]) for each in below([module]))


def kind(module: str) -> str:
    if module.endswith("_tb"):
        return "bench"
    return "clocked" if clocked(module) else "pure"


def users(module: str) -> tuple[str, ...]:
    found = [each for each in texts() if module in instances(each) and not each.endswith("_tb")]
    if module in TOPS or module in {path.stem for path in HELPERS}:
        found.append("dut")
    return tuple(sorted(found))


def other_adders() -> set[str]:
    """Return the adders of add_core that the golden set which is mutated does not elaborate."""
    golden = load(GOLDEN / "add")
    schemes = {job(case, golden.target).unit.parameters["SCHEME"] for case in golden.cases}
    assert schemes == {0}
    return {"add_aligned", "add_multiplier"}


def expected() -> dict[str, Row]:
    """Return what the files say, by module."""
    pytest.importorskip("z3")
    from qsim.formal.induction import MACHINES
    from qsim.formal.norms import MODULES
    from qsim.formal.provable import PROVABLE

    cores = [PROVED_BY.get(name, f"{name}_core") for name in PROVABLE]
    machines = [f"{name}_formal" for name in (*MACHINES, "softmax")]
    proved = below([*cores, *machines, *MODULES]) - UNPROVED
    mutated = below(SHARED.get(name, name) for name in PRIMITIVES) - other_adders()
    return {
        module: (kind(module), users(module), module in proved, module in mutated)
        for module in texts()
    }


def listed() -> dict[str, Row]:
    """Return what the index says, by module."""
    text = (RTL_TB / "README.md").read_text("utf-8").split("## The modules")[1]
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 6 or not cells[0].startswith("`"):
            continue
        module, what, clock, used, proved, mutated = cells
        assert what
        assert {proved, mutated} <= {"", "yes"}
        names = tuple(re.findall(r"`(\w+)`", used))
        found[module.strip("`")] = (clock, names, proved == "yes", mutated == "yes")
    return found


def test_the_index_lists_every_module_as_it_is() -> None:
    rows, files = listed(), expected()
    assert sorted(rows) == sorted(files)
    for module, row in files.items():
        assert rows[module] == row, module


def test_the_reading_of_files_finds_what_is_there() -> None:
    assert instances("add_core") == {"add_shifted", "add_aligned", "add_multiplier", "code_clamp"}
    assert instances("stream_register_formal") == {"stream_register"}
    assert not clocked("round_shift")
    assert clocked("correlation")  # by packet_register alone
    assert "posedge" not in texts()["correlation"]
    assert {path.name for path in (RTL_TB / "rtl").glob("*.sv")} == {
        *(f"{module}.sv" for module in texts() if (RTL_TB / "rtl" / f"{module}.sv").is_file()),
        "conv_pkg.sv",
    }
