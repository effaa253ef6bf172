"""A Python model of ``TOSABackend``, the TOSA delegates of ExecuTorch's Arm backend.

A delegate's bytes are a TOSA graph as it is, without a frame around it. The reference model of
tosa-tools computes it, as a program of its own: what is wrong with a graph cannot end this one.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qsim.atomic import refused, scratch
from qsim.errors import InputError, MissingToolError, ModelError
from qsim.executorch import registry
from qsim.executorch.vendors import tosa_graph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

BACKEND: Final = "TOSABackend"
HOW: Final = "pip install --no-deps tosa-tools==2026.8.0"
_SECONDS: Final = 600.0
_WHERE: Final = "tosa_reference_model"
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


def register() -> None:
    """Let tosa-tools' reference model compute TOSA delegates, in every program loaded later.

    The same as ``qsim.executorch.register(BACKEND, model, outputs=outputs)``.

    Raises:
        MissingToolError: tosa-tools is not installed.
    """
    _program()
    registry.register(BACKEND, model, outputs=outputs)


def outputs(blob: bytes) -> int:
    """Return how many outputs a delegate has.

    Raises:
        FileFormatError: the bytes are no TOSA graph.
    """
    return len(tosa_graph.read(bytes(blob)).outputs)


def model(
    blob: bytes, inputs: Sequence[Any], compile_specs: Mapping[str, bytes]
) -> list[np.ndarray[Any, Any]]:
    """Return what the reference model computes.

    Args:
        blob: a TOSA graph.
        inputs: tensors or arrays of the graph's dtypes and shapes, in its order.
        compile_specs: of the delegate; ``output_format`` must say ``tosa`` if it is there.

    Returns:
        The graph's outputs, in its order.

    Raises:
        MissingToolError: tosa-tools is not installed.
        FileFormatError: the bytes are no TOSA graph.
        InputError: inputs of another number, dtype or shape.
        ModelError: the delegate is of another format, or the model refuses the graph or a value,
            as a sum that leaves its 32 bits.
    """
    form = bytes(compile_specs.get("output_format", b"tosa"))
    if form != b"tosa":
        raise ModelError(
            f"the delegate's output_format is {form[:40]!r}", where=BACKEND, accepted="b'tosa'"
        )
    program = _program()
    graph = tosa_graph.read(bytes(blob))
    arrays = _arrays(graph.inputs, inputs)
    with scratch("tosa") as folder:
        return _run(program, folder, bytes(blob), graph, arrays)


def _arrays(
    wanted: Sequence[tosa_graph.Tensor], given: Sequence[Any]
) -> list[np.ndarray[Any, Any]]:
    import numpy as np

    if len(given) != len(wanted):
        raise InputError(
            f"{len(given)} inputs were given", where=BACKEND, accepted=str(len(wanted))
        )
    arrays = []
    for at, (value, tensor) in enumerate(zip(given, wanted, strict=True)):
        array = np.ascontiguousarray(value)
        # TOSA has no type without dimensions that differs from one element.
        shape = tensor.shape if array.ndim or tensor.shape not in ((), (1,)) else array.shape
        if array.dtype.name != tensor.dtype or array.shape != shape:
            raise InputError(
                f"is {array.dtype.name} {list(array.shape)}",
                where=f"{BACKEND}: input {at} ({tensor.name})",
                accepted=f"{tensor.dtype} {list(tensor.shape)}",
            )
        arrays.append(array)
    return arrays


def _run(
    program: str,
    folder: Path,
    blob: bytes,
    graph: tosa_graph.Graph,
    arrays: Sequence[np.ndarray[Any, Any]],
) -> list[np.ndarray[Any, Any]]:
    import numpy as np

    with refused(folder):
        (folder / "graph.tosa").write_bytes(blob)
    takes = [f"in{at}.npy" for at in range(len(graph.inputs))]
    makes = [f"out{at}.npy" for at in range(len(graph.outputs))]
    for name, array in zip(takes, arrays, strict=True):
        with refused(folder):
            np.save(folder / name, array, allow_pickle=False)
    command = [program, "--tosa_file", "graph.tosa", "--flatbuffer_dir", ".", "--output_dir", "."]
    for side, tensors, files in (("ifm", graph.inputs, takes), ("ofm", graph.outputs, makes)):
        command += [f"--{side}_name", ",".join(tensor.name for tensor in tensors)]
        command += [f"--{side}_file", ",".join(files)]
    try:
        done = subprocess.run(  # noqa: S603 - an argument list; the graph's names are checked
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(f"it ran for more than {_SECONDS:.0f} seconds", where=_WHERE) from None
    text = done.stdout + done.stderr
    if done.returncode or "REQUIRE() fails" in text:
        raise ModelError(_reason(text, done.returncode), where=_WHERE)
    try:
        return [np.load(folder / name, allow_pickle=False) for name in makes]
    except (OSError, ValueError):
        raise ModelError("it wrote no result", where=_WHERE) from None


def _reason(text: str, status: int) -> str:
    """Return the first lines that say why, without the warning about versions and colours."""
    lines = [_COLOUR.sub("", line).strip() for line in text.splitlines()]
    told = [line for line in lines if line and not line.startswith("WARNING: Different TOSA")]
    return "; ".join(told[:2])[:300] or f"it ended with status {status}"


@lru_cache(maxsize=1)
def _program() -> str:
    try:
        found = metadata.distribution("tosa-tools").locate_file("bin/tosa_reference_model")
    except metadata.PackageNotFoundError:
        raise MissingToolError(
            "tosa-tools, which has TOSA's reference model, is not installed",
            where=BACKEND,
            accepted=HOW,
        ) from None
    path = os.fspath(Path(str(found)))
    if not os.access(path, os.X_OK):
        raise MissingToolError(
            "tosa-tools has no program tosa_reference_model", where=BACKEND, accepted=HOW
        )
    return path
