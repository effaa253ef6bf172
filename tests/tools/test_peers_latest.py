"""What `make peers-latest` says of releases, rules and results; no package is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tree import ROOT
from tools.peers_latest import __main__ as command
from tools.peers_latest import releases, rules, trial
from tools.peers_latest.releases import Peer
from tools.peers_latest.report import table, text
from tools.peers_latest.trial import Result
from tools.peers_latest.watch import VARIABLE

POINTWISE = "tests/peers/onnxruntime/test_pointwise.py"
WRAP = f"{POINTWISE}::test_exception_blocks_wrap"
ORT = Peer(name="onnxruntime", locked="1.31.1", newest="1.32.0", trial="1.32.0")
TORCH = Peer(name="torch", locked="2.13.0", newest="2.15.0", trial="2.13.0")


def test_the_peers_are_those_of_pyproject() -> None:
    assert releases.names() == [
        "ai-edge-litert", "apytypes", "executorch", "onnx", "onnxruntime", "tosa-tools",
    ]  # fmt: skip


@pytest.mark.parametrize("peer", releases.names())
def test_every_peer_is_used_by_some_test_and_not_by_all(peer: str) -> None:
    every = {str(path.relative_to(ROOT)) for path in rules.TESTS.rglob("test_*.py")}
    used = set(rules.using(peer))
    assert used
    assert used < every


def test_a_peer_is_found_through_a_helper() -> None:
    assert POINTWISE in rules.using(
        "onnxruntime"
    )  # it imports tests.peers.onnxruntime.models alone
    assert "tests/peers/test_apytypes.py" not in rules.using("onnxruntime")


def test_a_rule_is_the_docstring_or_the_name() -> None:
    assert rules.rule(WRAP).startswith("Blocks of an inner axis convert to int32 first")
    assert rules.rule(f"{POINTWISE}::test_qlinear_add[True-uint8]") == "test_qlinear_add"


def test_the_table_tells_what_is_tried_and_what_cannot_be() -> None:
    assert table([ORT, TORCH], {"protobuf": "8.0"}).splitlines() == [
        "peer         locked  newest  tried",
        "onnxruntime  1.31.1  1.32.0  1.32.0",
        "torch        2.13.0  2.15.0  -",
        "torch 2.15.0 does not go with what qsim pins: not tried",
        "with them: protobuf 8.0",
    ]


RESULTS = [
    Result(test=f"{POINTWISE}::test_max_pool[0]", outcome="passed", message=""),
    Result(test=WRAP, outcome="failed", message="assert [[255, 255]] == [[0, 0]]"),
    Result(test="tests/peers/test_apytypes.py::test_x", outcome="failed", message="other"),
]


def test_a_change_is_told_by_peer_and_rule() -> None:
    said = text([ORT], {"onnxruntime": [POINTWISE]}, RESULTS[:2], set())
    assert said.splitlines() == [
        "",
        "onnxruntime 1.31.1 -> 1.32.0: 1 passed, 1 failed, 0 skipped",
        f"  {WRAP}",
        f"    rule: {rules.rule(WRAP)}",
        "    now:  assert [[255, 255]] == [[0, 0]]",
        "",
        "1 of 2 tests changed.",
    ]


def test_what_fails_with_the_locked_releases_too_is_no_change() -> None:
    said = text([ORT], {"onnxruntime": [POINTWISE]}, RESULTS[:2], {WRAP})
    assert "fails with the locked releases too: the peer did not change" in said
    assert said.endswith("Nothing changed.")


@pytest.mark.parametrize(
    ("now", "before", "status"),
    [(RESULTS[:1], [], 0), (RESULTS[:2], RESULTS[:1], 1), (RESULTS[:2], RESULTS[1:2], 0)],
)
def test_the_exit_status_tells_a_change(
    monkeypatch: pytest.MonkeyPatch, now: list[Result], before: list[Result], status: int
) -> None:
    installed: list[dict[str, str]] = []
    monkeypatch.setattr(sys, "argv", ["peers-latest"])
    monkeypatch.setattr(command, "find", lambda _chosen: ([ORT, TORCH], {"protobuf": "8.0"}))
    monkeypatch.setattr(command, "install", installed.append)
    answers = {True: now, False: before}
    monkeypatch.setattr(command, "trial", lambda _tests, site, *_rest: answers[site is not None])
    assert command.main() == status
    assert installed == [{"onnxruntime": "1.32.0", "protobuf": "8.0"}]


def test_nothing_newer_runs_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["peers-latest"])
    monkeypatch.setattr(command, "find", lambda _chosen: ([TORCH], {}))
    assert command.main() == 0
    assert "Nothing is newer that can be installed" in capsys.readouterr().out


TESTS = """
import numpy as np
import pytest


def test_passes():
    pass


def test_numpy():
    np.testing.assert_array_equal([1, 2, 3], [1, 2, 4])


def test_plain():
    assert [255] == [0]


@pytest.mark.skip(reason="no such peer")
def test_skipped():
    pass


@pytest.fixture
def broken():
    yield
    raise ValueError("at the end")


def test_tear_down(broken):
    pass
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_plugin_writes_each_result_once(tmp_path: Path, workers: str) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "test_gone.py").write_text("import no_such_package\n")
    lines = tmp_path / "lines"
    root = str(rules.ROOT)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tools.peers_latest.watch", "-n", workers,
         "-p", "no:cacheprovider", "--continue-on-collection-errors", "."],
        cwd=tmp_path, env={"PYTHONPATH": root, "PATH": "", VARIABLE: str(lines)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    results = {one.test.rpartition("::")[2]: one for one in trial._read(lines)}
    assert {name: one.outcome for name, one in results.items()} == {
        "test_gone.py": "failed", "test_passes": "passed", "test_numpy": "failed",
        "test_plain": "failed", "test_skipped": "skipped", "test_tear_down": "failed",
    }  # fmt: skip
    assert results["test_numpy"].message.startswith("Mismatched elements: 1 / 3")
    assert results["test_plain"].message == "assert [255] == [0]"
    assert results["test_tear_down"].message == "ValueError: at the end"
    assert "no_such_package" in results["test_gone.py"].message
    assert len({json.loads(line)["test"] for line in lines.read_text().splitlines()}) == 6
