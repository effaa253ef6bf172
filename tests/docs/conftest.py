"""An example of the documents: its code, and a folder to run it in."""

from __future__ import annotations

import runpy
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.docs import blocks


@dataclass(frozen=True)
class Example:
    """A Python block of a page.

    Attributes:
        page: of README or docs.
        code: the block.
        folder: the current one while it runs; empty before.
    """

    page: str
    code: str
    folder: Path

    def run(self, code: str | None = None, **names: Any) -> dict[str, Any]:
        """Run it with what the page supposes that there is; return its globals."""
        script = self.folder.parent / "example.py"
        script.write_text(self.code if code is None else code, encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside torch and ExecuTorch
            return runpy.run_path(str(script), init_globals=names)

    def printed(self) -> str:
        """Return what the page says that it prints."""
        return blocks.printed(self.page, self.code)


@pytest.fixture
def example(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Example:
    page, line = request.param
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Example(page, blocks.block(page, line), folder)
