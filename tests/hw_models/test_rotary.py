"""rotary: the definition, both pairings, torch's rotation within one code, widths, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

import hw_models as hw
from hw_models.rotary import reference

INT8, INT16, WIDE = hw.FixedFormat(8), hw.FixedFormat(16), hw.FixedFormat(32)
SHIFT = hw.PowerOfTwo(14, "half_away")


def pairs(x: np.ndarray, pairing: str) -> tuple[np.ndarray, np.ndarray]:
    half = x.shape[-1] // 2
    return (x[..., :half], x[..., half:]) if pairing == "half" else (x[..., ::2], x[..., 1::2])


@pytest.mark.parametrize("pairing", ["half", "interleaved"])
def test_pairs_follow_the_definition_and_the_real_rotation(pairing: str) -> None:
    x = np.random.default_rng(0).integers(-128, 128, (2, 3, 5, 6))
    cos, sin = hw.rotary_tables(5, 6)
    book = hw.Ledger()
    made = hw.rotary(x, cos, sin, SHIFT, pairing, 3, -2, output=INT16, ledger=book)
    (a, b), (first, second) = pairs(x, pairing), pairs(made, pairing)
    for index in np.ndindex(a.shape):
        turn = int(cos[index[-2:]]), int(sin[index[-2:]])
        wanted = reference(int(a[index]), int(b[index]), *turn, SHIFT, 3, -2, INT16)
        assert (int(first[index]), int(second[index])) == wanted
    for p in range(5):
        for i in range(3):
            t = p * 10000.0 ** (-2 * i / 6)
            real = (a[..., p, i] - 3) * math.cos(t) - (b[..., p, i] - 3) * math.sin(t)
            assert np.abs(first[..., p, i] + 2 - real).max() <= 0.5 + 262 * 2.0**-15
    sums = next(r for r in book.registers if r.name == "accumulator")
    assert sums.bits_used <= 23
    assert (hw.rotary(x.transpose(1, 0, 2, 3), cos, sin, SHIFT, pairing, 3, -2, output=INT16)
            == made.transpose(1, 0, 2, 3)).all()  # fmt: skip


def test_every_pair_of_8_bit_codes_is_turned_within_the_error() -> None:
    codes = np.stack(np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)), -1).reshape(-1, 2)
    for angle in (0.0, 0.3, math.pi / 4, 2.0, -math.pi):
        table = [np.array([round(f(angle) * 2**14)]) for f in (math.cos, math.sin)]
        made = hw.rotary(codes, *table, SHIFT, output=INT16)
        exact = codes @ np.array(
            [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
        )
        off = np.abs(made - exact) - np.abs(codes).sum(1, keepdims=True) * 2.0**-15
        assert off.max() <= 0.5
        if angle == 0:
            assert (made == codes).all()


def test_the_turn_of_llama_is_met() -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(1).integers(-90, 90, (1, 4, 7, 8))
    cos, sin = hw.rotary_tables(7, 8)
    angles = torch.outer(torch.arange(7.0), 10000.0 ** (-torch.arange(0, 8, 2) / 8)).repeat(1, 2)
    q = torch.tensor(x, dtype=torch.float32)
    turned = torch.cat((-q[..., 4:], q[..., :4]), -1)
    wanted = (q * angles.cos() + turned * angles.sin()).numpy()
    assert np.abs(hw.rotary(x, cos, sin, SHIFT) - wanted.clip(-128, 127)).max() < 0.52


def test_sums_fit_32_bits_at_the_ends_and_definitions_run_on_bit_vectors() -> None:
    x, half = np.array([[-32768, 32767]]), np.array([[11585]])
    book = hw.Ledger()
    made = hw.rotary(x, half, half, SHIFT, input=INT16, output=WIDE, ledger=book)
    assert made.tolist() == [[-46339, -1]]
    assert book.registers[0].bits_used <= 32
    z3 = pytest.importorskip("z3")
    known = reference(*(z3.BitVecVal(v, 48) for v in (-128, 127, 11585, -11585)), SHIFT,
                      select=z3.If)  # fmt: skip
    found = tuple(z3.simplify(v).as_signed_long() for v in known)
    assert found == reference(-128, 127, 11585, -11585, SHIFT)


def test_arguments_outside_the_contract_are_refused() -> None:
    x, (cos, sin) = np.zeros((2, 3, 4), np.int8), hw.rotary_tables(3, 4)
    for call, said in (
        (lambda: hw.rotary(x[..., :3], cos, sin, SHIFT), "pairs in its last dimension"),
        (lambda: hw.rotary(x, cos[:2], sin, SHIFT), "cos must have one code per pair"),
        (lambda: hw.rotary(x, cos, sin, hw.PowerOfTwo((1, 2))), "per tensor"),
        (lambda: hw.rotary(x, cos, sin, SHIFT, "quarter"), "pairing must be one"),
        (lambda: hw.rotary(x, cos * 1.0, sin, SHIFT), "integer array"),
        (lambda: hw.rotary(x, cos, sin, SHIFT, input=hw.FixedFormat(17)), "1 to 16 bits"),
        (lambda: hw.rotary(x, cos.astype(int) << 12, sin, SHIFT), "must fit 32 bits"),
        (lambda: hw.rotary(x, cos.astype(int) << 20, sin, SHIFT), "up to 31 bits"),
        (lambda: hw.rotary_tables(0, 4), "positions"),
    ):
        with pytest.raises(hw.ContractError, match=said):
            call()
