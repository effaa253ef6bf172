"""Instructions: the model in vector IR, the processor's own, and the manual's pseudo-code agree."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir
from numba.core.registry import cpu_target

from hw_models.compiled.instructions import INSTRUCTIONS, NATIVE, call

Array = np.ndarray[Any, Any]


def wrap32(value: int) -> int:
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def vpdpbusd(sums: Array, codes: Array, weights: Array) -> list[int]:
    """VPDPBUSD: DST.dword[i] := SRC3.dword[i] + p1 + p2 + p3 + p4, without saturation."""
    u, s = codes.view(np.uint8).tolist(), weights.view(np.int8).tolist()
    return [
        wrap32(acc + sum(u[4 * i + j] * s[4 * i + j] for j in range(4)))
        for i, acc in enumerate(sums.tolist())
    ]


def vpdpwssd(sums: Array, left: Array, right: Array) -> list[int]:
    """VPDPWSSD: DST.dword[i] := SRC1.dword[i] + p1 + p2, without saturation."""
    products = pmaddwd(left.view(np.int16), right.view(np.int16))
    return [wrap32(acc + both) for acc, both in zip(sums.tolist(), products, strict=True)]


def pmaddwd(left: Array, right: Array) -> list[int]:
    """PMADDWD: DST[31:0] := (DEST[15:0] * SRC[15:0]) + (DEST[31:16] * SRC[31:16])."""
    a, b = left.tolist(), right.tolist()
    return [wrap32(a[i] * b[i] + a[i + 1] * b[i + 1]) for i in range(0, len(a), 2)]


def pack(left: Array, right: Array) -> list[int]:
    """PACKSSDW, PACKSSWB: signed saturation, 128 bits of each operand in turn."""
    bits = 4 * left.itemsize
    lane = 16 // left.itemsize
    made = []
    for first in range(0, left.size, lane):
        for side in (left, right):
            made += side[first : first + lane].tolist()
    return [max(-(1 << (bits - 1)), min(value, (1 << (bits - 1)) - 1)) for value in made]


MANUAL: dict[str, tuple[Callable[..., list[int]], tuple[str, ...], int, str]] = {
    "llvm.x86.avx512.vpdpbusd.512": (vpdpbusd, ("int32", "int32", "int32"), 16, "int32"),
    "llvm.x86.avx512.vpdpwssd.512": (vpdpwssd, ("int32", "int32", "int32"), 16, "int32"),
    "llvm.x86.avx512.pmaddw.d.512": (pmaddwd, ("int16", "int16"), 32, "int32"),
    "llvm.x86.avx2.pmadd.wd": (pmaddwd, ("int16", "int16"), 16, "int32"),
    "llvm.x86.avx512.packssdw.512": (pack, ("int32", "int32"), 16, "int16"),
    "llvm.x86.avx512.packsswb.512": (pack, ("int16", "int16"), 32, "int8"),
    "llvm.x86.avx2.packssdw": (pack, ("int32", "int32"), 8, "int16"),
    "llvm.x86.avx2.packsswb": (pack, ("int16", "int16"), 16, "int8"),
}


def executed(
    emit: Callable[..., Any], kinds: Sequence[str], lanes: int, result: str
) -> Callable[..., Array]:
    """Compile what an emitter makes of vectors for this processor."""
    cpu_target.target_context.refresh()  # LLVM is set up
    module = ir.Module()
    vectors = [ir.VectorType(ir.IntType(8 * np.dtype(k).itemsize), lanes) for k in kinds]
    pointers = [kind.as_pointer() for kind in vectors]
    byte = ir.IntType(8).as_pointer()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [byte] * (1 + len(kinds))), "f")
    b = ir.IRBuilder(function.append_basic_block())
    operands = []
    for argument, kind in zip(function.args[1:], pointers, strict=True):
        value = b.load(b.bitcast(argument, kind))
        value.align = 1
        operands.append(value)
    made = emit(b, *operands)
    b.store(made, b.bitcast(function.args[0], made.type.as_pointer())).align = 1
    b.ret_void()
    features = ",".join(f"+{name}" for name in sorted(NATIVE))
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=str(llvm.get_host_cpu_name()), features=features
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(module)), machine)
    engine.finalize_object()
    pointer = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (1 + len(kinds)))
    run = pointer(engine.get_function_address("f"))

    def executed(*arrays: Array) -> Array:
        _ = engine  # holds the code
        y = np.zeros(made.type.count, result)
        run(y.ctypes.data, *(array.ctypes.data for array in arrays))
        return y

    return executed


def operands(kinds: Sequence[str], lanes: int) -> list[list[Array]]:
    """Ends in every combination, ends beside each other, neighbours of what saturates, random."""
    rng = random.Random(0)  # noqa: S311 - reproducible vectors
    found = []
    for number in range(200):
        arrays = []
        for kind in kinds:
            info = np.iinfo(kind)
            half = 1 << (info.bits // 2 - 1)
            some = (info.min, info.max, 0, -1, 1, half, half - 1, -half, -half - 1)
            arrays.append(np.array([
                rng.choice(some) if number % 2 else rng.randint(info.min, info.max)
                for _ in range(lanes)
            ], kind))  # fmt: skip
        found.append(arrays)
    for a, b in product((np.iinfo(kinds[-1]).min, np.iinfo(kinds[-1]).max, -1), repeat=2):
        values = (0, a, b)[-len(kinds) :]
        found.append([np.full(lanes, v, kind) for v, kind in zip(values, kinds, strict=True)])
    return found


def test_every_instruction_has_the_manuals_words() -> None:
    assert set(MANUAL) == set(INSTRUCTIONS)


@pytest.mark.parametrize("name", MANUAL)
@pytest.mark.parametrize("own", [False, True], ids=["model", "processor"])
def test_it_does_what_the_manual_says(name: str, own: bool) -> None:
    instruction = INSTRUCTIONS[name]
    manual, kinds, lanes, result = MANUAL[name]
    if own and not instruction.features <= NATIVE:
        pytest.skip(f"this processor lacks {', '.join(instruction.features - NATIVE)}")
    emit = (lambda b, *o: call(b, name, *o)) if own else instruction.model
    run = executed(emit, kinds, lanes, result)
    for arrays in operands(kinds, lanes):
        assert run(*arrays).tolist() == manual(*arrays)
