"""A pytest plugin: one JSON line for each test, into the file that the variable names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

VARIABLE: Final = "PEERS_LATEST_RESULTS"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write how a test's call ended, or that it was skipped or failed around it."""
    if report.when == "call" or report.outcome != "passed":
        _write(report.nodeid, report.outcome, report.longrepr)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Write that a module could not be collected."""
    if report.outcome == "failed":
        _write(report.nodeid, "failed", report.longrepr)


def _write(test: str, outcome: str, longrepr: object) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:  # the controller gets the same report
        return
    line = {"test": test, "outcome": outcome, "message": message(longrepr)}
    with Path(os.environ[VARIABLE]).open("a", encoding="utf-8") as output:
        output.write(json.dumps(line) + "\n")


def message(longrepr: object) -> str:
    """Return the first line that tells the difference; NumPy's says which elements differ."""
    crash = getattr(longrepr, "reprcrash", None)
    said = str(getattr(crash, "message", longrepr if longrepr is not None else ""))
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    counted = [line for line in lines if line.startswith("Mismatched elements")]
    raised = [line[2:].strip() for line in lines if line.startswith("E ")]
    plain = [line for line in lines if line != "AssertionError:"]
    return (counted or raised or plain or [""])[0]
