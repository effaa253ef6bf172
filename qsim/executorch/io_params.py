"""What integer inputs and outputs stand for, as a ``.pte`` or an exported program states it.

In a ``.pte`` by the methods of ExecuTorch's convention: ``qsim.executorch.pte.constants``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from qsim.errors import FileFormatError, QsimError
from qsim.executorch import adapter
from qsim.executorch.loading import Pte
from qsim.executorch.pte import PARAMETERS, numbered_dtypes, parameter_stems, usual

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch.export import ExportedProgram
    from torch.fx import Node


class Codes(NamedTuple):
    """What codes stand for: ``scale * (code - zero_point)``.

    Attributes:
        scale: real value of one code.
        zero_point: the code of 0.
        quant_min, quant_max: the smallest and the largest code.
        dtype: of the tensor that holds them.
    """

    scale: float
    zero_point: int
    quant_min: int
    quant_max: int
    dtype: torch.dtype


def codes_of(node: Node) -> Codes:
    """Return the parameters of a per-tensor quantize or dequantize node."""
    _, scale, zero_point, low, high, dtype = node.args[:6]
    return Codes(float(scale), int(zero_point), int(low), int(high), dtype)  # type: ignore[arg-type]


def qparams(program: Pte | ExportedProgram, method: str = "") -> dict[str, list[Codes | None]]:
    """Return what the integer inputs and outputs of a program stand for.

    Args:
        program: a ``.pte``, whose methods are run; or an exported program that has no delegates.
        method: of a ``.pte``; empty for ``forward``, or for the only one.

    Returns:
        ``inputs`` and ``outputs``: in the program's order, the parameters, or None where it states
        none: floats, and integers that are no codes.

    Raises:
        UsageError: there is no such method.
        FileFormatError: a parameter is missing, or is not of its type.
    """
    return _of_file(program, method) if isinstance(program, Pte) else _of_graph(program)


def constant_methods(parameters: Mapping[str, Sequence[Codes | None]]) -> dict[str, float | int]:
    """Return the methods that a program keeps parameters in, as ExecuTorch's passes name them."""
    return {
        f"{side.removesuffix('s')}{index}_{key}": value
        for side, found in parameters.items()
        for index, codes in enumerate(found)
        if codes is not None
        for key, value in zip(PARAMETERS, _numbers(codes), strict=True)
    }


def _numbers(codes: Codes) -> Iterator[float | int]:
    yield from codes[:4]
    yield next(n for n, dtype in numbered_dtypes().items() if dtype == codes.dtype)


def _of_file(pte: Pte, method: str) -> dict[str, list[Codes | None]]:
    name = method or usual(pte.methods)
    sizes = {"input": len(pte.inputs_of(name)), "output": len(pte.outputs_of(name))}
    stems = parameter_stems(pte.methods, name)
    return {
        f"{side}s": [_stated(pte, stems.get((side, index))) for index in range(size)]
        for side, size in sizes.items()
    }


def _stated(pte: Pte, stem: str | None) -> Codes | None:
    if stem is None:
        return None
    values = [_number(pte, f"{stem}{key}") for key in PARAMETERS]
    found = _read(*values)
    if found is None:
        raise FileFormatError(
            f"states {', '.join(map(repr, values))}",
            where=f"{pte.path}: {stem}*".removeprefix(": "),
            accepted=f"numbers for {', '.join(PARAMETERS)}",
        )
    return found


def _read(scale: Any, zero_point: Any, low: Any, high: Any, number: Any) -> Codes | None:
    """Return what five numbers of a file mean, None where they mean nothing."""
    if not all(type(value) is int for value in (zero_point, low, high, number)):
        return None
    dtype = numbered_dtypes().get(number)
    if dtype is None or dtype.is_floating_point or dtype == torch.bool:
        return None
    ends = torch.iinfo(dtype)
    fits = ends.min <= low <= zero_point <= high <= ends.max
    positive = type(scale) is float and math.isfinite(scale) and scale > 0
    return Codes(scale, zero_point, low, high, dtype) if fits and positive else None


def _number(pte: Pte, method: str) -> Any:
    # Run, where `qsim inspect` reads the plan and runs nothing: a method may compute its number.
    try:
        return pte(method=method)
    except QsimError as error:
        raise FileFormatError(
            error.message,
            where=f"{pte.path}: {method}".removeprefix(": "),
            accepted="a method that takes nothing and returns a number",
        ) from None


def _of_graph(program: ExportedProgram) -> dict[str, list[Codes | None]]:
    adapter.load_exir()
    inputs = set(program.graph_signature.user_inputs)
    returned: Any = program.graph.output_node().args[0]
    kinds = program.graph_signature.output_specs
    return {
        "inputs": [
            _around(node)
            for node in program.graph.nodes
            if node.op == "placeholder" and node.name in inputs
        ],
        "outputs": [
            _around(node)
            for node, kind in zip(returned, kinds, strict=True)
            if kind.kind.name == "USER_OUTPUT"
        ],
    }


def _around(node: Any) -> Codes | None:
    """Return the parameters of codes: those of the quantize that makes or a dequantize that reads.

    A quantize that stays in front of an output makes codes as much as one inside.
    """
    operators = torch.ops.quantized_decomposed
    if not isinstance(node, torch.fx.Node):
        return None
    if adapter.plain_operator(node.target) is operators.quantize_per_tensor.default:
        return codes_of(node)
    for user in node.users:
        if adapter.plain_operator(user.target) is operators.dequantize_per_tensor.default:
            return codes_of(user)
    return None
