"""Run tests in another process, with other releases first on the path, and read its results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.lock.sets import ROOT
from tools.peers_latest.releases import FOLDER
from tools.peers_latest.watch import VARIABLE

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Result:
    """One test: its id, how it ended (passed, failed, skipped), and what it said first."""

    test: str
    outcome: str
    message: str

    @property
    def failed(self) -> bool:
        """Return whether it failed, or its module could not be collected."""
        return self.outcome == "failed"


def trial(
    tests: list[str], site: Path | None, wanted: dict[str, str], workers: int
) -> list[Result]:
    """Run tests and return their results.

    Args:
        tests: files or ids.
        site: a folder of packages that come before the environment's.
        wanted: the releases that must then be found (name: release).
        workers: processes.

    Raises:
        SystemExit: another release would run, or pytest itself failed.
    """
    path = [str(ROOT)] if site is None else [str(site), str(ROOT)]
    lines = FOLDER / "results.jsonl"
    lines.unlink(missing_ok=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), VARIABLE: str(lines)}
    probe = "import importlib.metadata as m, sys; print(*[m.version(n) for n in sys.argv[1:]])"
    found = subprocess.run(
        [sys.executable, "-c", probe, *wanted], env=environment, text=True, capture_output=True,
        check=True,
    ).stdout.split()  # fmt: skip
    if found != list(wanted.values()):
        sys.exit(f"peers-latest: wanted {wanted}, found {found}")
    log = FOLDER / ("pytest-locked.log" if site is None else "pytest.log")
    print(f"running {len(tests)} of tests/peers, see {log.relative_to(ROOT)}", file=sys.stderr)
    command = [sys.executable, "-m", "pytest", "-p", "tools.peers_latest.watch"]
    command += ["-p", "no:cacheprovider", "-n", str(workers), *tests]
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, check=False
        )
    if done.returncode not in (0, 1) and not lines.exists():
        sys.exit(f"peers-latest: pytest ended with status {done.returncode}, see {log}")
    return _read(lines)


def _read(lines: Path) -> list[Result]:
    """Return the last word on each test: a failure in set-up or tear-down counts."""
    found: dict[str, Result] = {}
    for line in lines.read_text(encoding="utf-8").splitlines():
        result = Result(**json.loads(line))
        if result.test not in found or result.failed:
            found[result.test] = result
    return list(found.values())
