"""Every path's results against the definitions, kernel by kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path as File
from typing import TYPE_CHECKING, Any

import numpy as np

from qsim.errors import MissingToolError
from qsim.network import program_to_bytes
from qsim.selftest.items import directed, own
from qsim.selftest.paths import Path, paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.program import Array
    from qsim.selftest.items import Item

    # Of every item: names of the kernels of each way of running it, and what each way made.
    _Results = list[tuple[list[list[str]], list[Array]]]


@dataclass(slots=True)
class Row:
    """A kernel on a path.

    Attributes:
        kernel: what qsim's ledgers and streams call it.
        path: the name of the path.
        how: see :class:`Path`.
        vectors: results that were compared, one for each element.
        differing: how many of them are not what the definition says.
        first: where the first of them is, and both values; None where all agree.
    """

    kernel: str
    path: str
    how: str
    vectors: int = 0
    differing: int = 0
    first: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return asdict(self) | {"equal": not self.differing}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the self-test found.

    Attributes:
        paths: that were tried, the fastest first.
        rows: by kernel, then by path.
    """

    paths: tuple[Path, ...]
    rows: tuple[Row, ...] = field(default=())

    @property
    def equal(self) -> bool:
        """Whether every vector of every kernel is what the definition says."""
        return not any(row.differing for row in self.rows)


def examine(*, reduced: bool = False, only: Sequence[str] | None = None) -> Outcome:
    """Run every kernel on every path and compare it with the definitions.

    Args:
        reduced: a few vectors of each kind, for tests.
        only: names of paths, for tests; None: all.

    Raises:
        MissingToolError: a path's process did not end well.
    """
    tried = tuple(path for path in paths() if only is None or path.name in only)
    batches: list[list[Item]] = []
    results: dict[tuple[str, int], _Results] = {}
    with tempfile.TemporaryDirectory(prefix="qsim-self-test-") as name, ExitStack() as stack:
        folder = File(name)
        runs = [stack.enter_context(_started(path)) for path in tried]
        # While the kernels of the first batch are compiled, the second is made.
        for number, make in enumerate((own, directed)):
            batches.append(list(make(reduced=reduced)))
            _write(folder / f"{number}.npz", batches[-1])
            for path, run in zip(tried, runs, strict=True):
                _ask(run, folder / f"{number}.npz", folder / f"{number}.{path.name}.npz")
        for path, run in zip(tried, runs, strict=True):
            _finish(path, run)
            for number in range(len(batches)):
                results[path.name, number] = _read(folder / f"{number}.{path.name}.npz")
    rows: dict[tuple[str, str], Row] = {}
    for path in tried:
        for number, batch in enumerate(batches):
            for item, (kernels, made) in zip(batch, results[path.name, number], strict=True):
                for names, output in zip(kernels, made, strict=True):
                    for kernel in dict.fromkeys(names):
                        row = rows.setdefault((kernel, path.name), Row(kernel, path.name, path.how))
                        _compare(row, item, output)
    order = {path.name: number for number, path in enumerate(tried)}
    return Outcome(tried, tuple(sorted(rows.values(), key=lambda r: (r.kernel, order[r.path]))))


def _compare(row: Row, item: Item, output: Array) -> None:
    expected = item.expected
    row.vectors += expected.size
    if output.shape != expected.shape:
        row.differing += expected.size
        row.first = row.first or f"{item.name}: shape {output.shape}, not {expected.shape}"
        return
    wrong = np.argwhere(output != expected)
    if len(wrong):
        row.differing += len(wrong)
        at = tuple(int(i) for i in wrong[0])
        row.first = row.first or f"{item.name} at {at}: {int(output[at])}, not {int(expected[at])}"


def _write(path: File, wanted: Sequence[Item]) -> None:
    arrays: dict[str, Array] = {"count": np.array(len(wanted))}
    for number, item in enumerate(wanted):
        data = program_to_bytes(item.program)
        arrays[f"{number}.program"] = np.frombuffer(data, np.uint8)
        arrays |= {f"{number}.{i}": array for i, array in enumerate(item.inputs)}
    np.savez(path, **arrays)  # type: ignore[arg-type]


def _started(path: Path) -> subprocess.Popen[str]:
    """Start the process of a path, which takes names of files from its stdin."""
    return subprocess.Popen(
        [sys.executable, "-m", "qsim.selftest.compute"],
        env=os.environ | path.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ask(run: subprocess.Popen[str], items: File, results: File) -> None:
    with suppress(BrokenPipeError):  # it ended: _finish says why
        if run.stdin is None:
            return
        run.stdin.write(json.dumps([str(items), str(results)]) + "\n")
        run.stdin.flush()


def _finish(path: Path, run: subprocess.Popen[str]) -> None:
    _, said = run.communicate()
    if run.returncode:
        lines = said.strip().splitlines() or [f"exit status {run.returncode}"]
        raise MissingToolError(
            f"the kernels of path {path.name} cannot be run: {lines[-1][:200]}",
            accepted="a processor and a Numba that run them",
        )


def _read(results: File) -> _Results:
    """Return of every item the names of what ran, and what it made, way by way."""
    with np.load(results, allow_pickle=False) as held:
        about: list[list[list[str]]] = json.loads(held["about"].tobytes())
        return [
            (ways, [held[f"{number}.{i}"] for i in range(len(ways))])
            for number, ways in enumerate(about)
        ]
