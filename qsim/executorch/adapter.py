"""The one place that knows where ExecuTorch keeps what it does not publish, and which version.

A ``.pte`` is read with ExecuTorch's own schema files, which its wheel carries; its quantized
kernels come from the library that it builds for torch. Everything else of qsim.executorch asks
here.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qsim.errors import MissingToolError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch

    from qsim.memory import Buffer

VERSION: Final = "1.5.1"
HOW: Final = (
    f"pip install executorch=={VERSION}, or in the checkout: pip install -e '.[executorch]'"
)
# Program.version of the files that this version writes: executorch/exir/version.py.
PROGRAM_VERSION: Final = 0
# BundledProgram.version likewise: executorch/devtools/bundled_program/version.py.
BUNDLE_VERSION: Final = 2

_SCHEMAS: Final = {
    "program": ("exir/_serialize/scalar_type.fbs", "exir/_serialize/program.fbs"),
    "flat_tensor": (
        "extension/flat_tensor/serialize/scalar_type.fbs",
        "extension/flat_tensor/serialize/flat_tensor.fbs",
    ),
    "bundled_program": (
        "devtools/bundled_program/schema/scalar_type.fbs",
        "devtools/bundled_program/schema/bundled_program_schema.fbs",
    ),
}
# ScalarType of the schema -> torch.dtype, for the types that torch can compute with on a CPU.
_DTYPES: Final = {
    "BYTE": "uint8",
    "CHAR": "int8",
    "SHORT": "int16",
    "INT": "int32",
    "LONG": "int64",
    "HALF": "float16",
    "FLOAT": "float32",
    "DOUBLE": "float64",
    "BOOL": "bool",
    "BFLOAT16": "bfloat16",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
}


def check() -> None:
    """Check that ExecuTorch is installed, in the version that qsim is made for.

    Raises:
        MissingToolError: it is not; says how to get it.
    """
    _home()


@lru_cache(maxsize=1)
def _home() -> Path:
    found = importlib.util.find_spec("executorch")
    places = list(found.submodule_search_locations or ()) if found else []
    if not places:
        raise MissingToolError("ExecuTorch is not installed", where="executorch", accepted=HOW)
    try:
        version = metadata.version("executorch").partition("+")[0]
    except metadata.PackageNotFoundError:
        version = "without a version"
    if version != VERSION:
        raise MissingToolError(
            f"ExecuTorch {version} is installed; qsim is made for {VERSION}",
            where="executorch",
            accepted=HOW,
        )
    return Path(places[0])


def schema_text(name: str) -> str:
    """Return the text of a schema of ExecuTorch, by a name of ``_SCHEMAS``.

    Raises:
        MissingToolError: ExecuTorch is not installed, or a file of it is missing.
    """
    home = _home()
    try:
        return "\n".join((home / part).read_text("utf-8") for part in _SCHEMAS[name])
    except OSError as error:
        raise MissingToolError(
            f"ExecuTorch's schema {Path(error.filename).name} is missing",
            where="executorch",
            accepted=HOW,
        ) from None


@lru_cache(maxsize=1)
def dtypes() -> dict[str, torch.dtype]:
    """Return the torch dtype of every ScalarType that can be computed with, by its schema name."""
    import torch

    return {name: getattr(torch, dtype) for name, dtype in _DTYPES.items()}


@lru_cache(maxsize=1)
def load_quantized_kernels() -> None:
    """Give torch ExecuTorch's own quantized kernels, as ``quantized_decomposed::*.out``.

    Raises:
        MissingToolError: ExecuTorch is not installed, or its library cannot be loaded.
    """
    _home()
    import executorch.kernels.quantized  # noqa: F401
    import torch

    # The import itself hides its failure, so ask for what it should have brought.
    kernels: Any = torch.ops.quantized_decomposed.quantize_per_tensor
    # Its list of overloads may be older than the library: ask for the overload itself.
    if not hasattr(kernels, "out"):
        raise MissingToolError(
            "ExecuTorch's quantized kernels do not load into this torch",
            where="executorch.kernels.quantized",
            accepted=HOW,
        )


@lru_cache(maxsize=1)
def load_exir() -> None:
    """Import ExecuTorch's ahead-of-time half, which warns of itself when it is imported.

    Raises:
        MissingToolError: ExecuTorch is not installed, or is of another version.
    """
    _home()
    from qsim.graph import quiet

    with quiet():
        import executorch.exir  # noqa: F401


def plain_operator(target: Any) -> Any:
    """Return the torch operator behind an operator of the edge dialect; others as they are.

    ``view_copy`` and its like, which the edge dialect has in place of views, become the view;
    a clone that states its dim order becomes ``aten.clone``.
    """
    import torch
    from executorch.exir.dialects.edge._ops import EdgeOpOverload
    from torch._ops import OpOverload

    found = target._op if isinstance(target, EdgeOpOverload) else target  # noqa: SLF001
    if not isinstance(found, OpOverload):
        return found
    library, _, name = found._schema.name.partition("::")  # noqa: SLF001 - an operator's only name
    if (library, name) == ("dim_order_ops", "_clone_dim_order"):
        return torch.ops.aten.clone.default
    if library != "aten" or not name.endswith("_copy") or name.startswith("_"):
        return found
    packet = getattr(torch.ops.aten, name.removesuffix("_copy"), None)
    return getattr(packet, found._overloadname, found)  # noqa: SLF001 - as above


def call_delegate() -> Any:
    """Return the operator by which an edge program calls a lowered module."""
    from executorch.exir.delegate import executorch_call_delegate

    return executorch_call_delegate


def tag_constants(program: Any) -> None:
    """Give constants the tag of the operators that read them."""
    from executorch.exir.backend.utils import tag_constant_data

    tag_constant_data(program)


def edge_program(program: Any, method: str) -> Any:
    """Return one method of an edge program manager as its ExportedProgram, None for anything else.

    A program with memory planned (``to_executorch``) is not in the edge dialect any more.
    """
    from executorch.exir import EdgeProgramManager
    from torch.export import ExportedProgram

    if isinstance(program, ExportedProgram):
        return program
    if isinstance(program, EdgeProgramManager) and method in program.methods:
        return program.exported_program(method)
    return None


@lru_cache(maxsize=1)
def decomposed_operators() -> frozenset[Any]:
    """Return the operators that the edge transformation takes apart, and may be told to keep.

    Those whose result may be a view of their operand are left out: an edge program has no views.
    """
    from executorch.exir.tracer import _default_decomposition_table

    return frozenset(
        operator
        for operator in _default_decomposition_table()
        if all(result.alias_info is None for result in operator._schema.returns)  # noqa: SLF001
    )


def constant_names(program: Any) -> dict[str, str]:
    """Return the names of parameters, buffers and constants by their placeholders."""
    signature = program.graph_signature
    return {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }


def has_values(value: Any) -> bool:
    """Return whether something is a tensor with elements, not one that has a shape alone."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensor

    return isinstance(value, torch.Tensor) and not isinstance(value, FakeTensor)


def greedy_bytes(buffers: Iterable[Buffer], alignment: int) -> int:
    """Return the bytes that ExecuTorch's greedy planner takes for buffers, to compare ours with.

    Args:
        buffers: what must have a place, and when.
        alignment: bytes, to which it rounds every size up.

    Raises:
        MissingToolError: ExecuTorch is not installed, or is of another version.
    """
    load_exir()
    import torch
    from executorch.exir.memory_planning import MemoryPlanningAlgorithmSuite, greedy
    from executorch.exir.tensor import TensorSpec

    specs: Any = []
    for buffer in buffers:
        spec: Any = TensorSpec(dtype=torch.uint8, shape=torch.Size([buffer.size]))
        spec.lifetime = [buffer.first, buffer.last]
        specs.append(spec)
    empty: Any = torch.fx.GraphModule(torch.nn.Module(), torch.fx.Graph())
    # It takes a set of specs: its plan then depends on the order of a set. A list has one order.
    suite: Any = MemoryPlanningAlgorithmSuite([greedy])
    return sum(suite(alignment, specs, empty, None, 0))
