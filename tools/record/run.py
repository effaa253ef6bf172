"""Workers, one for each group of units, and the line that shows how far they are."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, Final

from tools.record import store
from tools.record.environment import variables
from tools.record.normal import ROOT
from tools.record.plan import Unit, units

if TYPE_CHECKING:
    from pathlib import Path

    from tools.record.store import Recording

# A worker's memory grows with every network that torch exports in it.
_MOST: Final = 40


class Progress:
    """Takes finished units of all workers: into the file, and onto a terminal's last line."""

    def __init__(self, path: Path, recording: Recording, total: int) -> None:
        self._path, self._recording, self._total = path, recording, total
        self._done = 0
        self._lock = Lock()

    def add(self, line: dict[str, Any]) -> None:
        """Keep a finished unit."""
        with self._lock:
            store.append(self._path, line)
            self._recording.add(line)
            self._done += 1
            if sys.stderr.isatty():
                text = f"{self._done} of {self._total}: {line['unit']}"
                end = "\n" if self._done == self._total else ""
                print(f"\r\x1b[K{text[:100]}", end=end, file=sys.stderr, flush=True)


def run(path: Path, recording: Recording, chosen: list[Unit], jobs: int) -> bool:
    """Record what is not there yet and write the file; return whether all workers came to an end.

    Args:
        path: of the whole record.
        recording: what there is; takes the rest.
        chosen: the units that are wanted.
        jobs: workers at a time.
    """
    missing = [unit for unit in chosen if unit.name not in recording.entries]
    if not missing and not store.part_of(path).exists():
        return True
    store.start(path, recording)
    progress = Progress(path, recording, len(missing))
    # Kernels of this code alone: Numba's own folder may hold what was compiled of other code.
    kernels = path.absolute().with_name(f"{path.name}.kernels")
    environment = variables() | {"NUMBA_CACHE_DIR": str(kernels)}
    with ThreadPoolExecutor(jobs) as pool:
        groups = _groups(missing)
        ended = list(pool.map(lambda names: _work(names, environment, progress), groups))
    if not all(ended):
        print(f"record: the same command goes on from {store.part_of(path)}", file=sys.stderr)
        return False
    store.write(path, recording, [unit.name for unit in units()])
    shutil.rmtree(kernels, ignore_errors=True)
    return True


def _groups(missing: list[Unit]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for unit in missing:
        groups.setdefault(unit.group, []).append(unit.name)
    return [
        names[start : start + _MOST]
        for names in groups.values()
        for start in range(0, len(names), _MOST)
    ]


def _work(names: list[str], environment: dict[str, str], progress: Progress) -> bool:
    """Run one worker; return whether it recorded all of its units."""
    command = [sys.executable, "-m", "tools.record.worker", *names]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        ) as worker,
    ):
        for line in worker.stdout or ():
            progress.add(json.loads(line))
        status = worker.wait()
        if status:
            print(f"\nrecord: a worker ended with {status}: {_tail(log)}", file=sys.stderr)
    return status == 0


def _tail(log: IO[str]) -> str:
    log.seek(0)
    lines = log.read().splitlines()
    return lines[-1] if lines else "no word"
