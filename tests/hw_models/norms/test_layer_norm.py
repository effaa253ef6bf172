"""layer_norm and rms_norm: the definition, every pair of 8-bit codes, errors, widths."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import hw_models as hw
from hw_models.integer.norms import epsilon_of
from hw_models.norms.layer_norm import reference
from hw_models.norms.rms_norm import reference as rms_reference
from tests.hw_models.norms.exact import exact, within

INT8, INT16 = hw.FixedFormat(8), hw.FixedFormat(16)
KEEP, WIDE = hw.PowerOfTwo(0), hw.FixedFormat(32)


def drawn(form: hw.FixedFormat, shape: tuple[int, ...], seed: int = 0) -> Any:
    """Return rows of every spread: wide ones, narrow ones, one code apart, constant."""
    random = np.random.default_rng(seed)
    x = random.integers(form.min, form.max + 1, shape)
    x[1::4] //= 64
    x[2::4] = 7
    x[2::4, 0] = 8
    x[3::4] = form.min
    return x


@pytest.mark.parametrize(("fraction", "root_bits"), [(8, 8), (12, 16), (15, 30)])
@pytest.mark.parametrize("centred", [True, False])
def test_every_pair_of_8_bit_codes(fraction: int, root_bits: int, centred: bool) -> None:
    pairs = np.stack(np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)), -1).reshape(-1, 2)
    norm = hw.IntegerNorm(KEEP, 3, fraction, root_bits)
    run = hw.layer_norm if centred else hw.rms_norm
    made = run(pairs, norm, output=WIDE)
    assert within(made, exact(pairs, norm, centred=centred), norm)
    for row, found in zip(pairs[::97].tolist(), made[::97].tolist(), strict=True):
        assert found == norm.reference(row, centred=centred)


@pytest.mark.parametrize("form", [INT8, INT16, hw.FixedFormat(8, signed=False)], ids=str)
@pytest.mark.parametrize("count", [1, 3, 64])
def test_rows_follow_the_definition_within_the_error(form: hw.FixedFormat, count: int) -> None:
    x = drawn(form, (9, count), count)
    random = np.random.default_rng(3)
    weight, bias = random.integers(-127, 128, count), random.integers(-5000, 5000, count)
    for guard, eps in ((6, 1e-5), (0, 0.0)):
        bare = hw.IntegerNorm(KEEP, epsilon_of(eps, count, 0.05, guard), 12, 16, guard)
        assert within(hw.layer_norm(x, bare, input=form, output=WIDE), exact(x, bare), bare)
        norm = hw.IntegerNorm.from_scales(count, 0.05, 0.03, 1 / 64, eps, guard=guard)
        assert norm.epsilon == bare.epsilon
        made = hw.layer_norm(x, norm, weight, bias, 1, -9, form, clamp=(-100, 90))
        rms = hw.rms_norm(x, norm, weight, 1, 5, -9, form)
        parameters = weight.tolist(), bias.tolist()
        for row, one, two in zip(x.tolist(), made.tolist(), rms.tolist(), strict=True):
            assert one == reference(row, norm, *parameters, -9, clamp=(-100, 90))
            assert two == rms_reference(row, norm, parameters[0], 5, -9)


def test_several_dimensions_are_one_row_and_zero_points_cancel() -> None:
    x = drawn(INT8, (5, 2, 6)) // 2
    norm = hw.IntegerNorm.from_scales(12, 0.1, 0.05, 1 / 32)
    weight, bias = np.arange(12).reshape(2, 6), -np.arange(12).reshape(2, 6)
    made = hw.layer_norm(x, norm, weight, bias, 2)
    flat = hw.layer_norm(x.reshape(5, 12), norm, weight.reshape(12), bias.reshape(12))
    assert (made.reshape(5, 12) == flat).all()
    assert (hw.layer_norm(x + 20, norm, weight, bias, 2) == made).all()
    views = hw.layer_norm(np.asfortranarray(x), norm, weight, bias, 2)
    assert (views == made).all()
    assert (hw.rms_norm(x + 20, norm, weight, 2, 20) == hw.rms_norm(x, norm, weight, 2)).all()
    assert hw.layer_norm(np.zeros((0, 3), np.int8), norm).shape == (0, 3)


def test_the_float_layer_norm_is_met_within_one_code() -> None:
    torch = pytest.importorskip("torch")
    count, sx, sy, sw = 96, 0.04, 0.03, 1 / 100
    x = drawn(INT8, (8, count), 5)
    random = np.random.default_rng(6)
    weight, bias = random.integers(50, 128, count), random.integers(-9000, 9000, count)
    norm = hw.IntegerNorm.from_scales(count, sx, sy, sw)
    real = [torch.tensor(v) for v in (x * sx, weight * sw, bias * sw / 2**norm.fraction)]
    wanted = torch.nn.functional.layer_norm(real[0], (count,), real[1], real[2]).numpy() / sy
    made = hw.layer_norm(x, norm, weight, bias)
    assert np.abs(made - wanted.clip(-128, 127)).max() < 0.51
    wanted = torch.nn.functional.rms_norm(real[0], (count,), real[1], 1e-5).numpy() / sy
    assert np.abs(hw.rms_norm(x, norm, weight) - wanted.clip(-128, 127)).max() < 0.51


def test_registers_hold_the_extremes_and_no_row_exceeds_them() -> None:
    one = np.full((2, 64), -32768)
    one[0, 0], one[1, :32] = 32767, 32767
    norm, book = hw.IntegerNorm(KEEP, 0, 12, 16), hw.Ledger()
    made = hw.layer_norm(one, norm, input=INT16, output=WIDE, ledger=book)
    found = {r.name: (r.minimum, r.maximum) for r in book.registers}
    sums = one.sum(1).tolist()
    squares = [sum(v * v for v in row) for row in one.tolist()]
    variances = [(64 * q - s * s) << 6 for s, q in zip(sums, squares, strict=True)]
    assert found["sum"] == (min(sums), max(sums))
    assert found["squares"] == (min(squares), max(squares))
    assert found["variance"] == (min(variances), max(variances))
    inverses = [norm.inverse_root(v)[0] for v in variances]
    assert found["reciprocal"] == (min(inverses), max(inverses))
    assert found["normalized"] == found["accumulator"] == (int(made.min()), int(made.max()))
    assert math.isclose(made.max() / 4096, math.sqrt(63), rel_tol=1e-4)
    # The largest normalized value there is, of every width: one code of many is another.
    for count in (2, 5, 4096, 8191):
        for bits, fraction in ((8, 8), (16, 12), (30, 0)):
            row = np.zeros((1, count), np.int64)
            row[0, 0] = 32767
            norm = hw.IntegerNorm(KEEP, 0, fraction, bits)
            for run in (hw.layer_norm, hw.rms_norm):
                made = run(row, norm, input=INT16, output=WIDE, ledger=book)
                assert abs(int(made[0, 0])) <= norm.largest(count)
                assert all(r.bits_used <= r.bits for r in book.registers)


def test_inverse_roots_run_on_bit_vectors() -> None:
    z3 = pytest.importorskip("z3")
    norm = hw.IntegerNorm(KEEP, 0, 8, 8)
    for variance in (64, 65, 65535, 65536, (1 << 62) + 12345):
        f, k = norm.inverse_root(variance)
        one, two = norm.inverse_root(z3.BitVecVal(variance, 80), z3.If)
        assert (z3.simplify(one).as_signed_long(), z3.simplify(two).as_signed_long()) == (f, k)
        n = norm.normalized(z3.BitVecVal(-77, 80), one, two)
        assert z3.simplify(n).as_signed_long() == norm.normalized(-77, f, k)


def test_arguments_outside_the_contract_are_refused() -> None:
    norm, x = hw.IntegerNorm(KEEP), np.zeros((2, 4), np.int8)
    for call, said in (
        (lambda: hw.layer_norm(x, "norm"), "norm must be an IntegerNorm"),
        (lambda: hw.layer_norm(x, norm, input=hw.FixedFormat(17)), "1 to 16 bits"),
        (lambda: hw.layer_norm(x, norm, np.ones(3, int)), "weight must have one value"),
        (lambda: hw.layer_norm(x, norm, np.full(4, 1 << 30)), "must fit 32 bits"),
        (lambda: hw.layer_norm(x, norm, dims=3), "dims must be an integer"),
        (lambda: hw.layer_norm(x[:, :0], norm), "must have elements"),
        (lambda: hw.layer_norm(x.astype(float), norm), "integer array"),
        (lambda: hw.rms_norm(x, norm, x_zero_point=1 << 40), "x_zero_point"),
        (lambda: hw.layer_norm(np.zeros((1, 8192), int), norm, input=INT16), "1..8191 codes"),
        (lambda: hw.IntegerNorm(KEEP, guard=3), "guard must be even"),
        (lambda: hw.IntegerNorm(KEEP, fraction=17), "fraction"),
        (lambda: hw.IntegerNorm(hw.PowerOfTwo((1, 2))), "per tensor"),
        (lambda: epsilon_of(1e9, 1 << 30, 1e-9), "below 2\\*\\*62"),
        (lambda: epsilon_of(-1.0, 4, 0.1), "eps must be a positive"),
    ):
        with pytest.raises(hw.ContractError, match=said):
            call()
