"""The processor's instructions that kernels name, and what stands in for them elsewhere.

A kernel's emitter asks for an instruction by its LLVM name. Where the processor that Numba compiles
for has it, the instruction itself is called. ``QSIM_MODELLED`` names features (``avx512f``, ...)
that kernels are to take for granted although the processor lacks them: their instructions then are
a model, the pseudo-code of Intel's Software Developer's Manual in plain vector IR. That is how
``qsim doctor --self-test`` runs kernels of other processors; nothing else sets it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numba
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features

from hw_models.compiled.matrix_unit import permitted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_I16, _I32 = ir.IntType(16), ir.IntType(32)
_AMX: Final = frozenset({"amx-tile", "amx-int8"})


def _native() -> frozenset[str]:
    if numba.config.CPU_NAME not in (None, "host"):
        asked = numba.config.CPU_FEATURES or ""
        return frozenset(name[1:] for name in asked.split(",") if name.startswith("+"))
    found = {name for name, present in get_host_cpu_features().items() if present}
    return frozenset(found if found.isdisjoint(_AMX) or permitted() else found - _AMX)


# Instruction set extensions of the processor that Numba compiles for.
NATIVE: Final = _native()
MODELLED: Final = frozenset(filter(None, os.environ.get("QSIM_MODELLED", "").split(","))) - NATIVE
# Those that kernels are chosen by.
FEATURES: Final = NATIVE | MODELLED
AVX512: Final = {"avx512f", "avx512bw"} <= FEATURES
AVX2: Final = "avx2" in FEATURES
VNNI: Final = AVX512 and "avx512vnni" in FEATURES
FMA: Final = "fma" in FEATURES
# The matrix unit, whose model is beside its kernels: its registers are no vectors.
MATRIX: Final = VNNI and _AMX <= FEATURES
MATRIX_MODELLED: Final = MATRIX and not _AMX <= NATIVE


class _Instruction(NamedTuple):
    features: frozenset[str]
    result: ir.VectorType
    model: Callable[..., Any]


def _vector(element: ir.Type, lanes: int) -> ir.VectorType:
    return ir.VectorType(element, lanes)


def _pick(b: Any, left: Any, right: Any, lanes: Sequence[int]) -> Any:
    return b.shuffle_vector(left, right, ir.Constant(_vector(_I32, len(lanes)), list(lanes)))


def _each(b: Any, value: Any, part: int, parts: int) -> Any:
    """Return every ``parts``-th element from ``part`` on."""
    return _pick(b, value, value, range(part, value.type.count, parts))


def _vpdpbusd(b: Any, sums: Any, codes: Any, weights: Any) -> Any:
    """Add four products of neighbours, uint8 times int8, to each int32; nothing saturates."""
    bytes_ = _vector(ir.IntType(8), 4 * sums.type.count)
    codes, weights = b.bitcast(codes, bytes_), b.bitcast(weights, bytes_)
    for i in range(4):
        left = b.zext(_each(b, codes, i, 4), sums.type)
        sums = b.add(sums, b.mul(left, b.sext(_each(b, weights, i, 4), sums.type)))
    return sums


def _vpdpwssd(b: Any, sums: Any, left: Any, right: Any) -> Any:
    """Add two products of neighbours of int16 to each int32; nothing saturates."""
    words = _vector(_I16, 2 * sums.type.count)
    return b.add(sums, _pmaddwd(b, b.bitcast(left, words), b.bitcast(right, words)))


def _pmaddwd(b: Any, left: Any, right: Any) -> Any:
    """Return sums of two products of neighbours of int16; 2 * (-32768)**2 becomes -2**31."""
    wide = _vector(_I32, left.type.count // 2)
    products = [
        b.mul(*(b.sext(_each(b, value, i, 2), wide) for value in (left, right))) for i in range(2)
    ]
    return b.add(*products)


def _pack(b: Any, left: Any, right: Any) -> Any:
    """Saturate to half the width; of each 128 bits first the left's elements, then the right's."""
    bits, count = left.type.element.width // 2, left.type.count
    low, high = (
        ir.Constant(left.type, [n] * count) for n in (-(1 << bits - 1), (1 << bits - 1) - 1)
    )
    narrow = []
    for value in (left, right):
        value = b.select(b.icmp_signed("<", value, low), low, value)
        value = b.select(b.icmp_signed(">", value, high), high, value)
        narrow.append(b.trunc(value, _vector(ir.IntType(bits), count)))
    lane = 128 // (2 * bits)
    order = [
        side + i for first in range(0, count, lane) for side in (0, count)
        for i in range(first, first + lane)
    ]  # fmt: skip
    return _pick(b, narrow[0], narrow[1], order)


_BW: Final = frozenset({"avx512f", "avx512bw"})
_AVX2: Final = frozenset({"avx2"})
INSTRUCTIONS: Final = {
    "llvm.x86.avx512.vpdpbusd.512": _Instruction(
        _BW | {"avx512vnni"}, _vector(_I32, 16), _vpdpbusd
    ),
    "llvm.x86.avx512.vpdpwssd.512": _Instruction(
        _BW | {"avx512vnni"}, _vector(_I32, 16), _vpdpwssd
    ),
    "llvm.x86.avx512.pmaddw.d.512": _Instruction(_BW, _vector(_I32, 16), _pmaddwd),
    "llvm.x86.avx2.pmadd.wd": _Instruction(_AVX2, _vector(_I32, 8), _pmaddwd),
    "llvm.x86.avx512.packssdw.512": _Instruction(_BW, _vector(_I16, 32), _pack),
    "llvm.x86.avx512.packsswb.512": _Instruction(_BW, _vector(ir.IntType(8), 64), _pack),
    "llvm.x86.avx2.packssdw": _Instruction(_AVX2, _vector(_I16, 16), _pack),
    "llvm.x86.avx2.packsswb": _Instruction(_AVX2, _vector(ir.IntType(8), 32), _pack),
}


def call(b: Any, name: str, *operands: Any) -> Any:
    """Emit an instruction, or its model where the processor lacks it.

    Args:
        b: the builder.
        name: a key of ``INSTRUCTIONS``.
        operands: vectors, as LLVM's intrinsic of that name takes them.
    """
    instruction = INSTRUCTIONS[name]
    kind = ir.FunctionType(instruction.result, [operand.type for operand in operands])
    if instruction.features <= NATIVE:
        return b.call(b.module.declare_intrinsic(name, (), kind), operands)
    return b.call(_modelled(b.module, f"model.{name}", kind, instruction.model), operands)


def _modelled(module: Any, name: str, kind: Any, model: Callable[..., Any]) -> Any:
    """Return the function of a model: inlined into every tile, it would be compiled for minutes."""
    function = module.globals.get(name)
    if function is None:
        function = ir.Function(module, kind, name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        inner = ir.IRBuilder(function.append_basic_block())
        inner.ret(model(inner, *function.args))
    return function
