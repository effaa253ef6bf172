"""``qsim models MODEL``: what a model brings, and its samples as ``.npy`` files."""

from __future__ import annotations

import io
import shlex
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.text import Text

from qsim.atomic import write_bytes
from qsim.cli.inputs import of_model
from qsim.cli.npy import shape_text
from qsim.errors import UsageError, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from qsim.cli.inputs import Samples
    from qsim.cli.output import Output
    from qsim.report import Array


def show_model(name: str, output: Output) -> None:
    """Print what a model brings: its inputs, calibration data and samples.

    Raises:
        ModelError: there is no such model, or its factory fails.
    """
    from qsim.models import load
    from qsim.report import as_arrays, plural

    model = load(name)
    inputs = [_kind(array) for array in as_arrays(model.example_inputs)]
    batches = [len(as_arrays(batch)[0]) for batch in model.calibration or ()]
    lines = [Text(name, "bold"), Text(f"  example inputs  {', '.join(inputs)}")]
    several = f"in {len(batches)} batches" if len(batches) > 1 else "in one batch"
    given = f"{plural(sum(batches), 'sample')} {several}" if batches else "none: the example inputs"
    lines.append(Text(f"  calibration     {given}"))
    samples = of_model(model)
    lines.append(Text(f"  `qsim run`      {samples.source}"))
    output.text(*lines)
    output.json(
        {
            "model": name,
            "example_inputs": inputs,
            "calibration": batches,
            "samples": samples.count,
            "labelled": samples.labels is not None,
            "source": samples.source,
        }
    )


def write_samples(name: str, folder: Path, output: Output) -> None:
    """Write a model's samples as float32 ``x.npy`` and, if it has labels, ``y.npy``.

    They are those that `qsim run` takes without ``--inputs``. A model of several inputs has
    ``x0.npy``, ``x1.npy`` and so on.

    Raises:
        ModelError: there is no such model, or its factory fails.
        UsageError: a file of that name is there, or the folder cannot be written.
    """
    from qsim.models import load

    model = load(name)
    samples = of_model(model)
    files = _files(samples)
    _make(folder, files)
    for file, array in files.items():
        data = io.BytesIO()
        np.save(data, array, allow_pickle=False)
        write_bytes(folder / file, data.getvalue())
    paths = {file: folder / file for file in files}
    lines = [Text(f"{paths[file]}: {_kind(array)}") for file, array in files.items()]
    command = _command(name, paths)
    lines.append(Text(f"{samples.source}; run them with: {command}", "dim"))
    output.text(*lines)
    output.json(
        {
            "model": name,
            "source": samples.source,
            "files": [{"path": str(paths[file]), "shape": list(a.shape), "dtype": a.dtype.name}
                      for file, a in files.items()],
            "command": command,
        }
    )  # fmt: skip


def _files(samples: Samples) -> dict[str, Array]:
    several = len(samples.arrays) > 1
    files = {f"x{i if several else ''}.npy": array for i, array in enumerate(samples.arrays)}
    return files if samples.labels is None else files | {"y.npy": samples.labels}


def _make(folder: Path, files: Mapping[str, Any]) -> None:
    """Make the folder where there is none, and refuse to replace files."""
    there = [str(folder / file) for file in files if (folder / file).exists()]
    if there:
        raise UsageError(
            f"{there[0]} is there already", where="--samples", accepted="a folder without it"
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot be made: {refusal(error)}", where=str(folder), accepted="a writable folder"
        ) from None


def _kind(array: Array) -> str:
    return f"{array.dtype.name} {shape_text(array.shape)}"


def _command(name: str, paths: Mapping[str, Path]) -> str:
    words = ["qsim", "run", name]
    for file, path in paths.items():
        words += ["--labels" if file == "y.npy" else "--inputs", str(path)]
    return shlex.join(words)
