"""The worked example of docs/executorch.md on bundled programs."""

from __future__ import annotations

import re
import runpy
import warnings
from pathlib import Path

import pytest

from tests.tree import DOCS

DOCUMENT = DOCS / "executorch.md"


def test_the_documented_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(# bundled example.*?)```", DOCUMENT.read_text(), re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(code)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside ExecuTorch and torch
        result = runpy.run_path(str(script))
    assert result["sizes"] == [4, 4]
    assert [item.ok and item.compared for item in result["results"]] == [True, True]
    assert result["checked"].ok
    assert len(result["back"].names) == 2 * len(result["golden"].names)
