"""One path's kernels, run on every item: a process of its own, started with the path's environment.

    echo '["ITEMS.npz", "RESULTS.npz", "calls stream"]' | python -m qsim.selftest.compute

Numba compiles for one processor in a process, so every path has its own.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from qsim.network import program_from_bytes
from qsim.program import decode_scheme, format_from_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hw_models import Ledger
    from qsim.program import Array, Call, Program

_KINDS: Final = ("bytes", "pairs", "words")


class Computed(NamedTuple):
    """What one way of running a Program made.

    Attributes:
        kernels: the names of what ran.
        output: the Program's output.
    """

    kernels: tuple[str, ...]
    output: Array


def compute(program: Program, inputs: tuple[Array, ...], ways: Sequence[str]) -> Iterator[Computed]:
    """Run a Program in some of the ways that qsim runs one.

    Args:
        program: with one output.
        inputs: of it.
        ways: some of these. ``ledgers``: call by call, with ledgers; ``stream``: as a command
            stream; ``calls``: a single call without a ledger, which takes other kernels than with
            one, its accumulators also with channels innermost.
    """
    if "ledgers" in ways:
        yield _with_ledgers(program, inputs)
    if "stream" in ways:
        (streamed,) = program.run(*inputs)
        yield Computed(_stream_kernels(program), streamed)
    if "calls" in ways and len(program.calls) == 1:
        yield from _alone(program, inputs)


def _with_ledgers(program: Program, inputs: tuple[Array, ...]) -> Computed:
    names: list[str] = []

    def observe(call: Call, _output: Array, ledger: Ledger) -> None:
        names.append(f"{call.primitive}: {ledger.kernel or 'no kernel'}")

    (traced,) = program.run(*inputs, trace=observe)
    return Computed(tuple(names), traced)


def _alone(program: Program, inputs: tuple[Array, ...]) -> Iterator[Computed]:
    (call,) = program.calls
    taken = [
        program.constants[name] if name in program.constants else inputs[program.inputs.index(name)]
        for name in call.inputs
    ]
    container = program.tensors[call.output].format.dtype
    name = _untraced(program, call, taken)
    made: Any = program.kernel(0)(taken, None)
    yield Computed((name,), made.astype(container))
    if call.primitive == "requantize":
        made = program.kernel(0)([_innermost(array) for array in taken], None)
        yield Computed((f"{name}, channels innermost",), made.astype(container))


def _innermost(array: Array) -> Array:
    """Return an equal array whose dimension 1 lies innermost in memory."""
    if array.ndim < 3:
        return array
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)


def _untraced(program: Program, call: Call, taken: list[Array]) -> str:
    """Return the name of the kernel that computes a call without a ledger."""
    if call.primitive == "requantize":
        from hw_models.requantization.modes import NAMES
        from hw_models.stream.requantize import parameters_of

        a: Any = call.attributes
        output = format_from_json(a["output"])
        limits = tuple(a["clamp"] or (output.min, output.max))
        limits = output.saturate(limits[0]), output.saturate(limits[1])
        scheme = decode_scheme(a["scheme"], program.constants)
        found = None
        if program.tensors[call.inputs[0]].format.bits <= 32:
            found = parameters_of(scheme, a["zero_point"], output, limits, a["input_zero_point"])
        if found is not None:
            return f"requantize: vectors, {NAMES[found.mode]}"
        return "requantize: element by element"
    if call.primitive == "correlation":
        left, right = (8 * array.itemsize for array in taken)
        groups = call.attributes["groups"]
        kind = "depthwise correlation" if taken[1].shape[1] == 1 and groups != 1 else "correlation"
        return f"{kind}: {left}-bit codes, {right}-bit weights"
    return f"{call.primitive}: without a ledger"


def _stream_kernels(program: Program) -> tuple[str, ...]:
    """Return the names of what the jitted loop executes for a Program."""
    from hw_models.requantization.modes import NAMES
    from hw_models.stream import fields as f
    from hw_models.stream.matrix import COLUMNS, GATHERED

    stream = program.stream()
    names = []
    for command in stream.compiled.commands:
        if command.op is None or not command.calls:  # the interpreter's kernel; a load or a store
            continue
        words = command.words
        if command.op == f.PRODUCTS:
            end = words[f.BLOCKS] + 24 * words[f.BLOCK_COUNT]
            blocks = stream.constants[words[f.BLOCKS] : end].view(np.int64)[::3]
            kind = _KINDS[words[f.KIND]]
            names += [f"products of {kind}, {width} channels" for width in sorted(set(blocks))]
            unit = f.GATHERED_STEPS if max(blocks) >= GATHERED else f.MATRIX_STEPS
            if words[unit] and max(blocks) >= COLUMNS:
                names.append("products of bytes, on the matrix unit")
        else:
            names.append(f.NAMES[command.op])
        if words.get(f.MODE, -1) >= 0:
            names.append(f"requantize, {NAMES[words[f.MODE]]}")
    return tuple(f"stream: {name}" for name in names)


def main() -> None:
    """Compute every item of the files that stdin names; write beside each what was made."""
    for line in sys.stdin:
        _file(*json.loads(line))


def _file(items: str, results: str, ways: str) -> None:
    arrays: dict[str, Array] = {}
    about: list[list[tuple[str, ...]]] = []
    with np.load(items, allow_pickle=False) as held:
        for number in range(int(held["count"])):
            program = program_from_bytes(held[f"{number}.program"].tobytes())
            inputs = tuple(held[f"{number}.{i}"] for i in range(len(program.inputs)))
            made = list(compute(program, inputs, ways.split()))
            arrays |= {f"{number}.{i}": each.output for i, each in enumerate(made)}
            about.append([each.kernels for each in made])
    text = json.dumps(about).encode()
    np.savez(results, about=np.frombuffer(text, np.uint8), **arrays)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
