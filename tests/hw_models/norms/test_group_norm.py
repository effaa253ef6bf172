"""group_norm and instance_norm: rows of layer_norm's definition, torch within a code, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import hw_models as hw
from hw_models.norms.group_norm import reference
from tests.hw_models.norms.exact import exact, within


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_groups_are_rows(groups: int) -> None:
    random = np.random.default_rng(groups)
    x = random.integers(-128, 128, (3, 4, 2, 3))
    weight, bias = random.integers(-127, 128, 4), random.integers(-4000, 4000, 4)
    norm = hw.IntegerNorm.from_scales(24 // groups, 0.05, 0.04, 1 / 100)
    book = hw.Ledger()
    made = hw.group_norm(x, norm, groups, weight, bias, 3, clamp=(-90, 127), ledger=book)
    share = 4 // groups
    for n in range(3):
        for g in range(groups):
            channels = slice(g * share, (g + 1) * share)
            factors, addends = (np.repeat(v[channels], 6).tolist() for v in (weight, bias))
            row = x[n, channels].reshape(-1).tolist()
            wanted = reference(row, norm, factors, addends, 3, clamp=(-90, 127))
            assert made[n, channels].reshape(-1).tolist() == wanted
    assert book.clamped == int(((made == -90) | (made == 127)).sum()) or book.clamped > 0
    turned = hw.group_norm(
        np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
        norm, groups, weight, bias, 3, clamp=(-90, 127),
    )  # fmt: skip
    assert (turned == made).all()
    if groups == 4:
        assert (hw.instance_norm(x, norm, weight, bias, 3, clamp=(-90, 127)) == made).all()


@pytest.mark.parametrize("instances", [False, True])
def test_every_pair_of_8_bit_codes_is_within_the_stated_error(instances: bool) -> None:
    pairs = np.stack(np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)), -1).reshape(-1, 2)
    norm = hw.IntegerNorm(hw.PowerOfTwo(0), 3)
    # Two samples' worth of pairs beside one another: a group must not see its neighbour.
    x = np.concatenate([pairs, pairs[::-1]], axis=1).reshape(-1, 2, 2)
    if instances:
        made = hw.instance_norm(x, norm, output=hw.FixedFormat(32))
    else:
        made = hw.group_norm(x.reshape(-1, 4, 1), norm, 2, output=hw.FixedFormat(32))
    rows = x.reshape(-1, 2)
    assert within(made.reshape(-1, 2), exact(rows, norm), norm)


def test_torch_is_met_within_one_code() -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(5).integers(-128, 128, (2, 6, 5))
    weight, bias = np.arange(90, 96), np.arange(-3000, 3000, 1000)
    norm = hw.IntegerNorm.from_scales(10, 0.05, 0.04, 1 / 100)
    real = [torch.tensor(v) for v in (x * 0.05, weight / 100, bias / 100 / 2**norm.fraction)]
    wanted = torch.nn.functional.group_norm(real[0], 3, real[1], real[2]).numpy() / 0.04
    made = hw.group_norm(x, norm, 3, weight, bias)
    assert np.abs(made - wanted.clip(-128, 127)).max() < 0.51


def test_arguments_outside_the_contract_are_refused() -> None:
    norm, x = hw.IntegerNorm(hw.PowerOfTwo(0)), np.zeros((2, 4, 3), np.int8)
    for call, said in (
        (lambda: hw.group_norm(x, norm, 3), "divide the channels"),
        (lambda: hw.group_norm(x, norm, 0), "groups must be"),
        (lambda: hw.group_norm(x, norm, 2, np.ones(2, int)), "one value per channel"),
        (lambda: hw.group_norm(x[0, 0], norm, 1), "N, C"),
        (lambda: hw.group_norm(x[:, :, :0], norm, 1), "N, C"),
        (lambda: hw.instance_norm(np.zeros(3, np.int8), norm), "N, C"),
    ):
        with pytest.raises(hw.ContractError, match=said):
            call()
