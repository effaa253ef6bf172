"""Every `qsim` command line in README and docs has a command and options that there are.

Nothing is run: with ``--help`` behind it, a line is read whole and refused where it has a command
or an option that the program has not.
"""

from __future__ import annotations

import shlex

import pytest

from qsim.cli import main
from tests.docs import blocks

# Lines of overviews, in which words stand for what may be there.
OVERVIEW = ("qsim golden …",)
LINES = sorted(
    {line for page in blocks.PAGES for line in blocks.commands(page) if line.startswith("qsim ")}
    - {*OVERVIEW}
)


def test_there_are_many() -> None:
    assert len(LINES) > 50


@pytest.mark.parametrize("line", LINES)
def test_the_line_is_understood(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = main([*shlex.split(line, comments=True)[1:], "--help"])
    assert status == 0, capsys.readouterr().err
    assert "Usage: qsim" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["qsim run digits --frob", "qsim frob"])
def test_what_is_not_there_is_noticed(line: str) -> None:
    assert main([*line.split()[1:], "--help"]) == 2
