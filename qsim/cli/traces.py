"""``--trace DIR``: every tensor of every sample as ``.npy``, the ledger, a picture."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from qsim.atomic import directory, refused
from qsim.cli.npy import append, write_npy
from qsim.errors import ModelError, UsageError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from qsim.network import Lowered, Trace
    from qsim.program import TensorSpec
    from qsim.report import Array


class TraceDirectory:
    """A directory that appears when the ``with`` block ends without an error.

    Args:
        path: the directory to make.
        told: its name in errors; that of the path by default.
    """

    def __init__(self, path: Path, told: Path | None = None) -> None:
        self._path = path
        self._told = told or path
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._directory = self._stack.enter_context(directory(self._path))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._stack.__exit__(kind, error, traceback)

    def _write(self, document: dict[str, Any]) -> None:
        text = json.dumps(document, indent=2, allow_nan=False)
        with refused(self._told):
            (self._directory / "trace.json").write_text(text + "\n", encoding="utf-8")


class TraceWriter(TraceDirectory):
    """Writes the trace of a network.

    Layout: ``tensors/<number>_<name>.npy`` in the order of execution, dimension 0 the samples;
    ``trace.json``: format, scale and zero point of every tensor, and what ``qsim run --json``
    prints; ``trace.png``: the first batch.

    Args:
        path: the directory to make.
        lowered: the network.
        samples: how many samples will come in all.
        told: as of a directory.
    """

    def __init__(
        self, path: Path, lowered: Lowered, samples: int, told: Path | None = None
    ) -> None:
        super().__init__(path, told)
        self._lowered, self._samples = lowered, samples
        self._files: dict[str, Path] = {}
        self._rows: dict[str, tuple[int, ...]] = {}
        self._first: Trace | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        with refused(self._told):
            (self._directory / "tensors").mkdir()
        return self

    def add(self, trace: Trace, start: int) -> None:
        """Write the next batch; batches come in the order of their samples."""
        del start
        with refused(self._told):
            if self._first is None:
                self._first = trace
                self._create(trace)
                return
            for name, row in self._rows.items():
                array = trace.tensors[name]
                if array.shape != (trace.batch, *row):
                    raise ModelError.of(
                        f"tensor {name!r} must have the same rows in each batch",
                        list(array.shape),
                        "--batch with all samples",
                    )
                append(self._files[name], array)

    def _create(self, trace: Trace) -> None:
        # One file per tensor, which grows batch by batch: never all samples in memory.
        for index, (name, array) in enumerate(trace.tensors.items()):
            safe = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:80].lstrip(".") or "tensor"
            file = self._directory / "tensors" / f"{index:03d}_{safe}.npy"
            self._files[name] = file
            grows = bool(array.ndim) and array.shape[0] == trace.batch
            if grows:
                self._rows[name] = array.shape[1:]
            write_npy(file, array, self._samples if grows else None)

    def finish(self, result: dict[str, Any]) -> None:
        """Write ``trace.json``, with the object of ``--json`` in it, and ``trace.png``."""
        first = self._first
        if first is None:
            return
        document = result | {
            "tensors": [
                self._describe(name, first.tensors[name], first.specs.get(name))
                for name in self._files
            ],
            "calls": [
                {
                    "call": entry.call,
                    "layer": entry.layer,
                    "primitive": entry.primitive,
                    "output": entry.tensor,
                }
                for entry in first.ledger
            ],
        }
        self._write(document)
        try:
            first.plot(self._directory / "trace.png")
        except UsageError as error:
            raise UsageError.placed(error, str(self._told)) from None

    def _describe(self, name: str, array: Array, spec: TensorSpec | None) -> dict[str, Any]:
        described: dict[str, Any] = {
            "name": name,
            "file": self._files[name].relative_to(self._directory).as_posix(),
            "dtype": str(array.dtype),
            "shape": [self._samples, *array.shape[1:]],
        }
        if spec is not None:
            described |= {
                "bits": spec.format.bits,
                "signed": spec.format.signed,
                "scale": spec.scale,
                "zero_point": spec.zero_point,
            }
        return described
