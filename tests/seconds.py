"""A plugin that ends a run with the seconds of each folder of tests, and the memory of each worker.

Seconds of processors, with those of the programs that a test starts, do not depend on what else the
machine does; seconds of the clock do. A fixture counts for the test that it was made for.
"""

from __future__ import annotations

import os
import resource
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pytest

# A folder of its own in the table; below one of these, each folder is.
_DEEPER = ("tests/qsim",)
_peaks: dict[str, int] = {}


@dataclass
class Folder:
    """What the tests of a folder took."""

    tests: int = 0
    clock: float = 0.0
    processor: float = 0.0


def _used() -> float:
    """Return the seconds of processors of this process, and of its programs that have ended."""
    return sum(os.times()[:4])


def _peak() -> int:
    """Return the most memory that this process had, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // (1_000_000 if sys.platform == "darwin" else 1_000)


class Measured:
    """Puts the seconds of processors since the last report on every report."""

    def __init__(self) -> None:
        self.last = _used()

    def pytest_collection_finish(self) -> None:
        self.last = _used()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[Any]:
        report = yield
        now = _used()
        report.processor = now - self.last
        self.last = now
        return report


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Measured())


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["peak"] = _peak()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    _peaks[node.gateway.id] = getattr(node, "workeroutput", {}).get("peak", 0)


def folder_of(test: str) -> str:
    """Return the line of the table that a test belongs to."""
    parts = PurePosixPath(test.partition("::")[0]).parent.parts
    return "/".join(parts[: 3 if "/".join(parts[:2]) in _DEEPER else 2])


def folders_of(reports: list[Any]) -> dict[str, Folder]:
    """Return what each folder took, the longest first."""
    found: dict[str, Folder] = defaultdict(Folder)
    for report in reports:
        folder = found[folder_of(report.nodeid)]
        folder.tests += report.when == "call"
        folder.clock += report.duration
        folder.processor += getattr(report, "processor", 0.0)
    return dict(sorted(found.items(), key=lambda item: -item[1].processor))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not config.getoption("durations"):
        return
    reports = [r for group in terminalreporter.stats.values() for r in group]
    found = folders_of([r for r in reports if hasattr(r, "duration") and hasattr(r, "when")])
    terminalreporter.write_sep("=", "seconds per folder")
    terminalreporter.write_line("processors    clock   tests  folder")
    for name, folder in found.items():
        terminalreporter.write_line(
            f"{folder.processor:10.1f} {folder.clock:8.1f} {folder.tests:7}  {name}"
        )
    peaks = _peaks or {"this process": _peak()}
    told = ", ".join(f"{name} {megabytes:,} MB" for name, megabytes in sorted(peaks.items()))
    terminalreporter.write_line(f"most memory: {told}")
