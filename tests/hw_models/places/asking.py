"""Asks every place that must know the names of a closed set about each of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.tree import ROOT

Places = Mapping[str, Callable[[str], None]]
_RUN = """
import sys
from tests.hw_models.places.{0} import PLACES
from tests.hw_models.places.asking import missing
print(*missing(PLACES, sys.argv[1]), sep="\\n")
"""


def missing(places: Places, name: str) -> list[str]:
    """Return the places that do not know a name: where asking fails, in whatever way."""
    found = []
    for place, ask in places.items():
        try:
            ask(name)
        except Exception:
            found.append(place)
    return found


def missing_in_a_copy(test: str, name: str, folder: Path, file: str, last: str) -> list[str]:
    """Return what ``missing`` finds where a name was added to a Literal, and nothing else was done.

    Args:
        test: module with PLACES, in this folder.
        name: to be added.
        folder: where a copy of hw_models may be made.
        file: with the Literal, in hw_models.
        last: the Literal's last name, as it stands there.
    """
    shutil.copytree(
        ROOT / "hw_models", folder / "hw_models", ignore=shutil.ignore_patterns("__pycache__")
    )
    for other in ("qsim", "rtl_tb", "tests"):
        (folder / other).symlink_to(ROOT / other)
    path = folder / "hw_models" / file
    text = path.read_text()
    assert text.count(last) == 1
    path.write_text(text.replace(last, f'{last}, "{name}"'))
    done = subprocess.run(
        [sys.executable, "-c", _RUN.format(test), name],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def in_module(file: str, parameter: str, code: int, name: str) -> None:
    """Require that a module of RTL says what a number is, and has its case."""
    text = (ROOT / "rtl_tb" / "rtl" / file).read_text()
    assert re.search(rf"^//.*\b{code} \(?{name}\b", text, re.MULTILINE)
    if "default: up = 1'bx" in text:  # no number is the default's
        labels = re.findall(r"^ +((?:\d+, )*\d+): ", text, re.MULTILINE)
        numbers = {int(number) for label in labels for number in label.split(", ")}
        assert code in numbers
    bound = re.search(rf"{parameter} > (\d+)\) begin : g_refused", text)
    assert bound is None or code <= int(bound[1])


def in_docs(file: str, row: str, name: str) -> None:
    """Require a name in a line of a document that matches a pattern."""
    lines = (ROOT / "docs" / file).read_text().splitlines()
    assert any(re.search(row, line) and f"`{name}`" in line for line in lines)
