"""Every path's results against the definitions, kernel by kernel."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path as File
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.selftest import items
from qsim.selftest.paths import Path, paths
from qsim.selftest.run import Run, started, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qsim.program import Array
    from qsim.selftest.items import Item

# Of processes: on the path of this processor two of them share the work.
_OWN_WAYS: Final = ("stream", "ledgers calls")
_OTHER_WAYS: Final = ("stream calls",)


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
        failed: of paths whose process did not end well: why.
    """

    paths: tuple[Path, ...]
    rows: tuple[Row, ...]
    failed: Mapping[str, str]

    @property
    def equal(self) -> bool:
        """Whether every path ran and every vector of every kernel is what the definition says."""
        return bool(self.rows) and not (self.failed or any(row.differing for row in self.rows))


def examine(
    *, reduced: bool = False, only: Sequence[str] | None = None, named: str = ""
) -> Outcome:
    """Run every kernel on every path and compare it with the definitions.

    On the path of this processor everything runs; on the others what a processor decides: the fast
    sums of products, the vectors of requantize, and the command stream.

    Args:
        reduced: a few vectors of each kind, for tests.
        only: names of paths, for tests; None: all.
        named: what names of items begin with, for tests.
    """
    tried = tuple(path for path in paths() if only is None or path.name in only)
    with tempfile.TemporaryDirectory(prefix="qsim-self-test-") as name, ExitStack() as stack:
        runs = [
            Run(path, ways, File(name), stack.enter_context(started(path)))
            for path in tried
            for ways in (_OWN_WAYS if path.how == "chosen by this processor" else _OTHER_WAYS)
        ]
        # While the kernels of the first batch are compiled, the others are made.
        for number, make in enumerate((items.chosen, items.everywhere, items.directed)):
            batch = [item for item in make(reduced=reduced) if item.name.startswith(named)]
            file = File(name) / f"{number}.npz"
            write(file, batch)
            for run in runs:
                if run.path.how == "chosen by this processor" or number == 0:
                    run.ask(batch, file)
        rows: dict[tuple[str, str], Row] = {}
        failed: dict[str, str] = {}
        for run in runs:
            why = run.end()
            if why is not None:
                failed[run.path.name] = why
                continue
            for item, kernels, output in run.results():
                for kernel in dict.fromkeys(kernels):
                    found = Row(kernel, run.path.name, run.path.how)
                    _compare(rows.setdefault((kernel, run.path.name), found), item, output)
    order = {path.name: number for number, path in enumerate(tried)}
    in_order = sorted(rows.values(), key=lambda row: (row.kernel, order[row.path]))
    return Outcome(tried, tuple(in_order), failed)


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
