"""The self-test: it runs every path, agrees here, and reports a kernel that does not."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hw_models.compiled.instructions import FEATURES, NATIVE
from qsim import selftest
from qsim.cli import main
from qsim.selftest import items, run
from tests.tree import ROOT

OWN = next(path.name for path in selftest.paths() if path.how == "chosen by this processor")


def test_the_paths_are_those_of_this_processor() -> None:
    paths = {path.name: path for path in selftest.paths()}
    assert list(paths) == ["amx", "avx512-vnni", "avx512", "avx2", "plain"]
    better = list(paths)[: list(paths).index(OWN)]
    assert all(not paths[name].ran for name in better)
    assert all(path.ran for name, path in paths.items() if name not in better)
    assert not paths[OWN].environment


def test_every_kernel_of_this_processor_agrees(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    examine = functools.partial(selftest.examine, reduced=True, only=[OWN])
    monkeypatch.setattr(selftest, "examine", examine)
    assert main(["doctor", "--self-test", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["equal"] is True
    assert found["paths"] == [
        {"path": OWN, "how": "chosen by this processor", "ran_here": True, "failed": None}
    ]
    kernels = {row["kernel"]: row for row in found["kernels"]}
    assert {"stream: depthwise", "requantize: vectors, shift by sign"} <= set(kernels)
    assert any(name.startswith("stream: products of") for name in kernels)
    assert any(name in kernels for name in ("correlation: vnni", "correlation: pairs"))
    wanted = [*items.chosen(reduced=True), *items.everywhere(reduced=True)]
    wanted += items.directed(reduced=True)
    # With ledgers every item is computed once, each call's output compared with the last's.
    assert sum(row["vectors"] for row in kernels.values()) > sum(i.expected.size for i in wanted)
    assert all(row["equal"] and not row["differing"] for row in kernels.values())


# Changes what one tile does: its sums no longer start from what makes codes unsigned.
FAULT = (
    "total = build.add(total, _load(build, _at(build, init, 64 * v), _SUMS))",
    "total = build.sub(total, _load(build, _at(build, init, 64 * v), _SUMS))",
)
MARK = "-- as JSON --"
COPIED = f"""
import functools, sys
from qsim import selftest
from qsim.selftest import examining
examining._OWN_WAYS = ("calls",)  # the stream's loop, which takes long to compile, has other tiles
selftest.examine = functools.partial(
    selftest.examine, reduced=True, only=[{OWN!r}], named="sums.depthwise-one"
)
from qsim.cli import main
told = main(["doctor", "--self-test"])
print({MARK!r})
sys.exit(told if main(["doctor", "--self-test", "--json"]) == told else 9)
"""


def test_a_fault_in_a_copy_of_a_kernel_is_reported(tmp_path: Path) -> None:
    for package in ("qsim", "hw_models"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("*.pyc"))
    tiles = tmp_path / "hw_models/products/depthwise_tiles.py"
    source = tiles.read_text(encoding="utf-8")
    assert source.count(FAULT[0]) == 1
    tiles.write_text(source.replace(*FAULT), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", COPIED],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    text, document = done.stdout.split(f"{MARK}\n")
    assert "differ" in text
    assert "not what the definitions say" in text
    found = json.loads(document)
    assert found["equal"] is False
    wrong = {row["kernel"] for row in found["kernels"] if not row["equal"]}
    assert "depthwise correlation: 8-bit codes, 8-bit weights" in wrong
    first = next(row["first"] for row in found["kernels"] if not row["equal"])
    assert first.startswith("sums.depthwise-one at (0, 0, 0, 0): ")


def test_a_path_that_ends_early_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(_path: selftest.Path) -> subprocess.Popen[str]:
        code = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
        return subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    monkeypatch.setattr("qsim.selftest.examining.started", started)
    examine = functools.partial(selftest.examine, reduced=True, only=[OWN], named="sums.grouped")
    monkeypatch.setattr(selftest, "examine", examine)
    assert main(["doctor", "--self-test"]) == 1
    shown = capsys.readouterr().out
    assert f"{OWN} did not run to its end: ended by SIGILL" in shown
    assert "1 of 1 paths did not run to their end." in shown


MODELLED = """
import sys
from hw_models.compiled import instructions
assert instructions.VNNI and "avx512vnni" in instructions.MODELLED
from qsim.selftest import items
from qsim.selftest.compute import compute
for item in items.chosen(reduced=True):
    if item.name in ("sums.blocks-64-16", "sums.depthwise-one"):
        for made in compute(item.program, item.inputs, ("calls",)):
            assert (made.output == item.expected).all(), item.name
            print(*made.kernels)
"""


def test_kernels_of_a_processor_that_is_not_here_run_by_a_model() -> None:
    needed = ("avx2", "avx512bw", "avx512f", "avx512vnni", "fma")
    environment = os.environ | {
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "QSIM_MODELLED": ",".join(needed),
    }
    done = subprocess.run(
        [sys.executable, "-c", MODELLED],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


def test_nothing_is_modelled_unless_it_is_asked_for() -> None:
    assert FEATURES == NATIVE


@pytest.mark.soak
@pytest.mark.parametrize("path", [p.name for p in selftest.paths()])
def test_every_kernel_of_every_path_agrees(path: str) -> None:
    outcome = selftest.examine(only=[path])
    assert outcome.equal, [row for row in outcome.rows if row.differing] or outcome.failed
    assert sum(row.vectors for row in outcome.rows) > 100_000


@pytest.mark.soak
def test_all_paths_by_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor that has none of the instructions."""
    for name, value in (("NUMBA_CPU_NAME", "generic"), ("NUMBA_CPU_FEATURES", "")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("hw_models.compiled.instructions.FEATURES", frozenset())
    assert [path.ran for path in selftest.paths()] == [False, False, False, False, True]
    assert selftest.examine().equal


def test_a_results_file_has_every_item(tmp_path: Path) -> None:
    batch = [item for item in items.chosen(reduced=True) if item.name == "sums.grouped"]
    run.write(tmp_path / "items.npz", batch)
    (path,) = (p for p in selftest.paths() if p.name == OWN)
    with run.started(path) as process:
        asked = run.Run(path, "calls", tmp_path, process)
        asked.ask(batch, tmp_path / "items.npz")
        assert asked.end() is None
    ((item, kernels, output),) = asked.results()
    assert item is batch[0]
    assert kernels == ["correlation: 8-bit codes, 8-bit weights"]
    assert (output == item.expected).all()
