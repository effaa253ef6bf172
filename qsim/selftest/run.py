"""The process of a path: what it is asked, and what it answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from qsim.network import program_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path as File

    from qsim.program import Array
    from qsim.selftest.items import Item
    from qsim.selftest.paths import Path


def started(path: Path) -> subprocess.Popen[str]:
    """Start a process with a path's environment; it takes one line of JSON for each file."""
    return subprocess.Popen(
        [sys.executable, "-m", "qsim.selftest.compute"],
        env=os.environ | path.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def write(file: File, batch: Sequence[Item]) -> None:
    """Write Programs and inputs, without what is expected."""
    arrays: dict[str, Array] = {"count": np.array(len(batch))}
    for number, item in enumerate(batch):
        data = program_to_bytes(item.program)
        arrays[f"{number}.program"] = np.frombuffer(data, np.uint8)
        arrays |= {f"{number}.{i}": array for i, array in enumerate(item.inputs)}
    np.savez(file, **arrays)  # type: ignore[arg-type]


@dataclass(slots=True)
class Run:
    """A path's process and the files that it was given.

    Attributes:
        path: whose kernels it has.
        ways: how Programs run there: see ``compute``.
        folder: of the results.
        process: started by :func:`started`.
        asked: the batches, and where the results of each will be.
    """

    path: Path
    ways: str
    folder: File
    process: subprocess.Popen[str]
    asked: list[tuple[Sequence[Item], File]] = field(default_factory=list)

    def ask(self, batch: Sequence[Item], file: File) -> None:
        """Have a batch computed that was written to a file."""
        name = f"{self.path.name}.{self.ways}.{len(self.asked)}.npz"
        self.asked.append((batch, self.folder / name))
        line = json.dumps([str(file), str(self.folder / name), self.ways])
        if self.process.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended: end() says why
                self.process.stdin.write(f"{line}\n")
                self.process.stdin.flush()

    def end(self) -> str | None:
        """Wait until all is computed; return why it is not, None if it is."""
        _, said = self.process.communicate()
        status = self.process.returncode
        if not status:
            return None
        if status < 0:
            return f"ended by {signal.Signals(-status).name}"
        return (said.strip().splitlines() or [f"exit status {status}"])[-1][:200]

    def results(self) -> Iterator[tuple[Item, list[str], Array]]:
        """Give every item with what ran and what it made, once for each way."""
        for batch, file in self.asked:
            with np.load(file, allow_pickle=False) as held:
                about: list[list[list[str]]] = json.loads(held["about"].tobytes())
                for number, (item, ways) in enumerate(zip(batch, about, strict=True)):
                    for i, kernels in enumerate(ways):
                        yield item, kernels, held[f"{number}.{i}"]
