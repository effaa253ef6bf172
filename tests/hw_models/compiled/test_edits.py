"""After an edit of what a kernel calls, or of what writes its LLVM IR, no old code runs."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.hw_models.compiled.programs import finish, start
from tests.tree import ROOT

PROGRAM = """
from hw_models import Division, FixedPoint, ShiftedAdd, add, matmul, mean
a, b = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128))
to = [FixedPoint.from_scale(s) for s in (0.4, 0.3, 2.0 / (1 << 20))]
y = add(a.astype(np.int8), b.astype(np.int8), ShiftedAdd(20, *to))
m = mean(np.array([[1, 2], [3, 4]], np.int8), 1, Division("half_up"))
p = matmul(np.full((2, 4), 300, np.int16), np.ones((4, 3), np.int16))
result = [int(y.sum(dtype=np.int64)), m.tolist(), p.tolist()]
"""
# Each is in another file than the kernel that Python calls.
EDITS = (
    (
        "requantization/exact.py",
        "return (p + row[5] + (row[6] if p < 0 else 0)) >> row[3]",
        "return p >> row[3]",
    ),
    (
        "pools/avg_pool.py",
        "(2 * rest == count and tie)",
        "(2 * rest == count and not tie)",
    ),
    (
        "products/gemm_tiles.py",
        "new.append(dot(build, phi, rows[m], columns[v]))",
        "new.append(dot(build, dot(build, phi, rows[m], columns[v]), rows[m], columns[v]))",
    ),
)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_kernels_follow_edits_in_other_files(tmp_path):
    package = tmp_path / "hw_models"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "hw_models", package, ignore=ignored)
    before, events, _ = finish(start(PROGRAM, tmp_path, tmp_path / "cache"))
    assert before[1:] == [[2, 4], [[1200] * 3] * 2]
    kernels = {name for name, state in events if state == "compiled"}
    assert {"shifted", "_divide_all", "_pairs"} <= kernels
    again, events, _ = finish(start(PROGRAM, tmp_path, tmp_path / "cache"))
    assert again == before
    assert {state for _, state in events} == {"loaded"}
    for file, old, new in EDITS:
        edit(package / file, old, new)
    warm, events, _ = finish(start(PROGRAM, tmp_path, tmp_path / "cache"))
    assert warm[0] != before[0]
    assert warm[1:] == [[1, 3], [[2400] * 3] * 2]
    assert {"shifted", "_divide_all", "_pairs"} <= {name for name, _ in events}
    cold, _, _ = finish(start(PROGRAM, tmp_path, tmp_path / "empty"))
    assert warm == cold
