"""Functions of a code without floats: every 8-bit code, drawn 16-bit ones, and errors of floats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import hw_models as hw
from hw_models.integer.exponential import ERROR
from hw_models.integer.inverses import inverse, inverse_root
from hw_models.integer_function import reference

if TYPE_CHECKING:
    from collections.abc import Callable

INT8, INT16, UINT8 = hw.FixedFormat(8), hw.FixedFormat(16), hw.FixedFormat(8, signed=False)


def _gelu(x: float) -> float:
    return x / 2 * (1 + math.erf(x / math.sqrt(2)))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


# The unit, its function, and the largest error that its contract states.
CURVES: dict[str, tuple[Any, Callable[[float], float], float]] = {
    "exp": (hw.IbertExp, math.exp, ERROR),
    "sigmoid": (hw.ExpSigmoid, _sigmoid, 0.0009),
    "silu": (hw.ExpSilu, lambda x: x * _sigmoid(x), 0.0009),
    "gelu": (hw.IbertGelu, _gelu, 0.019),
}
SCALES = (2.0**-40, 3e-5, 2.0**-13, 2.0**-11, 0.0078, 0.03, 2.0**-5, 0.11, 1.0, 16.0)


def unit(kind: str, scale: float, form: hw.FixedFormat, zero: int = 0) -> tuple[Any, float, float]:
    """Return a unit whose results are fine, their step, and the error that it may have."""
    cls, function, error = CURVES[kind]
    ends = [scale * (code - zero) for code in (form.min, form.max)]
    if kind == "exp":
        error *= math.exp(ends[1])
    step = max(abs(function(max(min(end, 700.0), -700.0))) for end in ends) / 2**20
    more = {"top": form.max} if kind == "exp" else {}
    return cls.from_scales(scale, step, zero, 7, **more), step, error


def values(kind: str, x: Any, scale: float, zero: int) -> Any:
    return np.array([CURVES[kind][1](max(scale * (code - zero), -700.0)) for code in x.tolist()])


@pytest.mark.parametrize("kind", CURVES)
@pytest.mark.parametrize("form", [INT8, UINT8], ids=str)
def test_every_8_bit_code_follows_the_definition_within_the_error(
    kind: str, form: hw.FixedFormat
) -> None:
    x = np.arange(form.min, form.max + 1)
    for scale in SCALES:
        zero = form.min + 100 if scale < 1 else form.max - 3
        made, step, error = unit(kind, scale, form, zero)
        output = hw.FixedFormat(32)
        y = hw.integer_function(x, made, form, output)
        assert y.tolist() == [reference(code, made, output) for code in x.tolist()]
        off = np.abs((y - 7.0) * step - values(kind, x, scale, zero)).max()
        assert off <= error + step


@pytest.mark.parametrize("kind", CURVES)
def test_16_bit_codes_follow_the_definition_within_the_error(kind: str) -> None:
    drawn = np.random.default_rng(1).integers(-32768, 32768, 60)
    x = np.concatenate([drawn, drawn // 64, [-32768, -1, 0, 1, 32767]])
    for scale in (7e-6, 2.0**-13, 2.0**-10):
        made, step, error = unit(kind, scale, INT16, 0)
        y = hw.integer_function(x, made, INT16, hw.FixedFormat(32))
        assert y.tolist() == [reference(c, made, hw.FixedFormat(32)) for c in x.tolist()]
        assert np.abs((y - 7.0) * step - values(kind, x, scale, 0)).max() <= error + step


def test_inverses_are_as_near_as_stated_for_every_mantissa() -> None:
    m = np.arange(1 << 15, 1 << 16)
    ints = [inverse(n) for n in m.tolist()[::7]]
    assert np.abs(np.array(ints) - 2.0**31 / m[::7]).max() <= 1
    m = np.arange(1 << 14, 1 << 16)
    roots = np.array([inverse_root(n) for n in m.tolist()[::13]])
    assert np.abs(roots - 2.0**23 / np.sqrt(m[::13])).max() <= 1.2


@pytest.mark.parametrize("cls", [hw.NewtonReciprocal, hw.NewtonRsqrt])
@pytest.mark.parametrize("form", [INT8, UINT8, INT16], ids=str)
def test_inverses_follow_the_definition(cls: Any, form: hw.FixedFormat) -> None:
    wide = form.bits == 16
    edges = [0, 1, 2, 3, 255, 256, 4095, 32767, -1, -32768]
    drawn = [*edges, *np.random.default_rng(2).integers(-32768, 32768, 200).tolist()]
    x = np.array(drawn) if wide else np.arange(form.min, form.max + 1)
    for scale, zero in ((0.04, 0), (0.25, form.min), (2.0**-8, form.max)):
        made, output = cls.from_scales(scale, 2.0**-10, zero, -3), hw.FixedFormat(32)
        y = hw.integer_function(x, made, form, output)
        assert y.tolist() == [reference(code, made, output) for code in x.tolist()]
        root = cls is hw.NewtonRsqrt
        for code, found in zip(x.tolist(), y.tolist(), strict=True):
            c = code - zero
            if c == 0 or (root and c < 0):
                assert found == output.max
            else:
                exact = (1 / math.sqrt(scale * c) if root else 1 / (scale * c)) * 2**10
                assert abs(found + 3 - exact) <= 0.5 + abs(exact) * 2.0**-13.6


def test_results_saturate_and_the_ledger_knows_the_registers() -> None:
    book, x = hw.Ledger(), np.array([[-128, 0], [64, 127]], np.int8)
    made = hw.ExpSilu.from_scales(0.05, 0.01)
    y = hw.integer_function(x, made, ledger=book)
    assert y.tolist() == [[-1, 0], [127, 127]]
    assert (book.clamped, book.first_clamped) == (2, (1, 0))
    registers = {r.name: (r.bits, r.minimum, r.maximum, r.overflows) for r in book.registers}
    e = made.exponential
    terms = [e.reference(-abs(c)) for c in (-128, 0, 64, 127)]
    gates = [made.curve(c) // c for c in (-128, 64, 127)]
    assert registers["lifted"] == (32, -128 << e.left_shift, 0, 0)
    assert registers["polynomial"] == (32, min(terms), e.one, 0)
    assert registers["gate"] == (16, min(gates), max(gates), 0)
    assert registers["product"] == (32, made.curve(-128), made.curve(127), 0)
    assert "left shift" in registers
    turned = hw.integer_function(x.T, made)
    assert (y == turned.T).all()
    assert hw.integer_function(np.zeros((0, 2), np.int8), made, ledger=book).shape == (0, 2)
    assert book.elements == 0


def test_definitions_run_on_bit_vectors() -> None:
    z3 = pytest.importorskip("z3")
    units = [unit(kind, 0.03, INT8)[0] for kind in CURVES]
    units += [cls.from_scales(0.04, 0.1) for cls in (hw.NewtonReciprocal, hw.NewtonRsqrt)]
    for made in units:
        for code in (-128, -3, 0, 5, 127):
            known = reference(z3.BitVecVal(code, 72), made, select=z3.If)
            assert z3.simplify(known).as_signed_long() == reference(code, made)


def test_no_register_overflows_at_the_ends() -> None:
    x = np.array([-32768, 32767])
    for kind in CURVES:
        for scale in (2.0**-40, 2.0**-13, 16.0):
            for zero in (-32768, 32767):
                book, (cls, _, _) = hw.Ledger(), CURVES[kind]
                step = 2.0 if kind != "exp" else 1e300
                made = cls.from_scales(scale, step, zero)
                if kind == "exp":
                    made = hw.IbertExp(made.exponential, hw.PowerOfTwo(20), zero)
                hw.integer_function(x, made, INT16, INT16, book)
                for register in book.registers[: len(made.registers)]:
                    assert register.bits_used <= register.bits


def test_arguments_outside_the_contract_are_refused() -> None:
    made = hw.IbertGelu.from_scales(0.1, 0.1)
    e, shift = hw.Exponential.from_scale(0.1), hw.PowerOfTwo(3)
    x = np.zeros(3, np.int8)
    for call, said in (
        (lambda: hw.integer_function(x, "gelu"), "unit must be an integer function"),
        (lambda: hw.integer_function(x, made, hw.FixedFormat(17)), "1 to 16 bits"),
        (lambda: hw.integer_function(x.astype(int) + 200, made), "codes of its format"),
        (lambda: hw.integer_function(x, made, output=hw.FixedFormat(33)), "1 to 32 bits"),
        (lambda: hw.integer_function(x, hw.ExpSilu(e, shift, 200)), "a code of the input"),
        (lambda: hw.integer_function(x, hw.IbertExp(e, shift, 200)), "top must be a code"),
        (lambda: hw.IbertGelu.from_scales(2.0**-41, 0.1), "2\\*\\*-40..16"),
        (lambda: hw.Exponential.from_scale(17.0), "2\\*\\*-40..16"),
        (lambda: hw.Exponential(1775, 6930, 100, 7), "Exponential.one"),
        (lambda: hw.ExpSilu(e, hw.PowerOfTwo((1, 2))), "per tensor"),
        (lambda: hw.NewtonReciprocal.from_scales(1e-9, 1e-9), "multiplier"),
        (lambda: hw.NewtonRsqrt(1 << 16, 3), "NewtonRsqrt.multiplier"),
    ):
        with pytest.raises(hw.ContractError, match=said):
            call()
