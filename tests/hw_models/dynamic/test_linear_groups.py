"""linear_groups: the definition, both orders, fused and not, zero points, any length of groups."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import hw_models as hw
from hw_models.dynamic.linear_groups import reference

WAYS = list(itertools.product(("row", "group"), (False, True)))


def drawn(depth: int, groups: int, bits: int, seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    half = 1 << (bits - 1)
    return {
        "x": random.integers(-128, 128, (2, 3, depth), np.int8),
        "weight": random.integers(-half, half, (4, depth), np.int8),
        "x_scale": random.random((2, 3, 1), np.float32) + np.float32(0.01),
        "x_zero_point": random.integers(-128, 128, (2, 3, 1), np.int8),
        "weight_scale": random.random((4, groups), np.float32) + np.float32(0.01),
        "weight_zero_point": random.integers(-half, half, (4, groups), np.int8),
        "bias": random.standard_normal(4).astype(np.float32),
    }


def wanted(given: dict[str, Any], order: Any, *, fused: bool) -> np.ndarray:
    """Return the values by the definition, every step in exact arithmetic."""
    depth, groups = given["x"].shape[-1], given["weight_scale"].shape[1]
    size = depth // groups
    x, weight = given["x"].reshape(-1, depth).tolist(), given["weight"].tolist()
    scales, points = given["x_scale"].reshape(-1).tolist(), given["x_zero_point"].reshape(-1)
    made = np.zeros((len(x), len(weight)), np.float32)
    for (r, row), (o, factors) in itertools.product(enumerate(x), enumerate(weight)):
        zeros = [0] * groups
        if given["weight_zero_point"] is not None:
            zeros = given["weight_zero_point"][o].tolist()
        sums = [
            sum(
                (row[k] - int(points[r])) * (factors[k] - zeros[g])
                for k in range(g * size, (g + 1) * size)
            )
            for g in range(groups)
        ]
        bias = None if given["bias"] is None else float(given["bias"][o])
        factors_of_groups = given["weight_scale"][o].tolist()
        made[r, o] = reference(sums, scales[r], factors_of_groups, bias, order, fused=fused)
    return made.reshape(*given["x"].shape[:-1], len(weight))


@pytest.mark.parametrize(
    ("depth", "groups", "bits"), [(6, 3, 4), (64, 2, 4), (32, 1, 8), (5, 5, 4)]
)
def test_every_way_follows_the_definition(depth: int, groups: int, bits: int) -> None:
    given = drawn(depth, groups, bits)
    for (order, fused), without in itertools.product(WAYS, ((), ("bias", "weight_zero_point"))):
        one = given | dict.fromkeys(without)
        book = hw.Ledger()
        made = hw.linear_groups(**one, order=order, fused=fused, ledger=book)
        assert made.dtype == np.float32
        assert np.array_equal(made, wanted(one, order, fused=fused))
        assert (book.minimum, book.maximum) == (made.min(), made.max())
    ways = {hw.linear_groups(**given, order=o, fused=f).tobytes() for o, f in WAYS}
    assert len(ways) > 1 or groups == 1


def test_groups_ascend() -> None:
    """2**24 and then 1 twice stays; 1 twice and then 2**24 does not."""
    x, one = np.ones((1, 3), np.int8), np.ones(1, np.float32)
    weight, zero = np.ones((2, 3), np.int8), np.zeros(1, np.int8)
    scales = np.float32([[1 << 24, 1, 1], [1, 1, 1 << 24]])
    made = hw.linear_groups(x, weight, one, zero, scales)
    assert made.tolist() == [[1 << 24, (1 << 24) + 2]]


def test_one_parameter_serves_all_rows() -> None:
    given = drawn(8, 2, 4)
    scale, zero = given["x_scale"][0, 0], given["x_zero_point"][0, 0]
    spread = {"x_scale": np.full((2, 3, 1), scale), "x_zero_point": np.full((2, 3, 1), zero)}
    alone = hw.linear_groups(**given | {"x_scale": scale, "x_zero_point": zero})
    assert np.array_equal(alone, hw.linear_groups(**given | spread))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"weight_scale": np.ones((4, 4), np.float32)},
            "not 4 groups of 6 inputs .accepted: a num",
        ),
        ({"weight_scale": np.ones((3, 2), np.float32)}, r"weight_scale \[O, groups\], not"),
        ({"weight_scale": np.ones((4, 2))}, "weight_scale must be a float32 array"),
        ({"weight_zero_point": np.ones((4, 3), int)}, "weight_zero_point must have shape"),
        ({"bias": np.ones(3, np.float32)}, "bias must have shape"),
        ({"x_scale": np.ones(3, np.float32)}, "x_scale must have one value per row"),
        ({"x": np.full((2, 3, 6), 300)}, "x must hold codes"),
        ({"x": np.ones((2, 3, 5), int)}, "x must have shape"),
        ({"order": "rows"}, "order must be"),
    ],
)
def test_what_is_outside_the_contract(change: dict[str, Any], said: str) -> None:
    given = drawn(6, 2, 4) | change
    with pytest.raises(hw.ContractError, match=said):
        hw.linear_groups(**given)
