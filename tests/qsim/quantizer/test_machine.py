"""What last bits of float sums cannot change: scales, zero points, histograms, constants."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from qsim.graph import attribute
from qsim.quantizer import quantize
from qsim.quantizer.double import Double, float64_by_default
from qsim.quantizer.histogram import BINS, Histogram
from qsim.quantizer.qparams import Coding, choose, fixed_order_sum, on_grid
from qsim.target import Target
from tests.qsim.quantizer.graphs import Fn

NOISE = (-3e-15, -2.3e-16, 0.0, 2.3e-16, 3e-15)
FORMATS = ((-128, 127), (0, 255), (-127, 127), (-(1 << 15), (1 << 15) - 1), (-(1 << 23), 1 << 23))


def one(low, high, codes, scheme, exact=False):
    scale, zero = choose(np.array([low]), np.array([high]), Coding(*codes, scheme, exact))
    return float(scale[0]), int(zero[0])


@pytest.mark.parametrize("codes", FORMATS)
@pytest.mark.parametrize("scheme", ["asymmetric", "symmetric", "power_of_two"])
def test_ranges_on_special_points_are_decided_alike(scheme, codes):
    """Ends of relu6, sigmoid and tanh, powers of two, the grid itself, two ends of one size."""
    steps = codes[1] - codes[0]
    ends = [(0.0, 6.0), (0.0, 1.0), (-1.0, 1.0), (-4.0, 4.0), (-0.5, 0.0), (-2.0, 6.0)]
    ends += [(0.0, 3000 / 4096 * steps), (-1.5, steps - 1.5), (-steps / 2, steps / 2)]
    ends += [(codes[0] * 2.0**-7, codes[1] * 2.0**-7), (0.0, codes[1] * 2049 * 2.0**-18)]
    for low, high in ends:
        found = {
            one(low * (1 + a), high * (1 + b), codes, scheme)
            for a, b in itertools.product(NOISE, repeat=2)
        }
        assert len(found) == 1, (low, high)


def test_a_scale_has_12_bits_and_is_the_next_one():
    scale = np.exp(np.random.default_rng(0).uniform(-20, 20, 5000))
    found = on_grid(scale)
    steps = np.frexp(found)[0] * 4096
    assert np.array_equal(steps, np.rint(steps))
    assert np.all(found >= scale * (1 - 2.0**-26))
    assert np.all(found < scale * (1 + 2.0**-11))
    assert np.array_equal(on_grid(found), found)
    # So the scale of a product, which a bias takes, is exact in float32.
    product = found[:-1] * found[1:]
    assert np.array_equal(product.astype(np.float32).astype(np.float64), product)


@pytest.mark.parametrize("codes", FORMATS[:4])
def test_nothing_that_calibration_saw_clips(codes):
    random = np.random.default_rng(1)
    for low, high in random.normal(size=(500, 2)) * 4.0 ** random.integers(-9, 9, (500, 1)):
        for scheme in ("asymmetric", "symmetric", "power_of_two"):
            signed = scheme == "asymmetric" or codes[0] < 0
            ends = (min(low, 0.0) if signed else 0.0, max(high, 0.0))
            scale, zero = one(*ends, codes, scheme)
            for end in ends:
                assert codes[0] <= round(end / scale) + zero <= codes[1]


def test_weights_keep_the_codes_and_the_scale_that_they_were_quantized_with():
    scale = float(np.float32(0.00317))
    assert one(-127 * scale, 90 * scale, (-127, 127), "symmetric", exact=True) == (scale, 0)


def test_sums_have_one_order_and_are_right():
    random = np.random.default_rng(2)
    for size in (0, 1, 2, 3, 7, 64, 1000):
        x = random.normal(size=(3, size))
        found = fixed_order_sum(x)
        assert np.array_equal(found, fixed_order_sum(np.asfortranarray(x)))
        for row, total in zip(x, found, strict=True):
            exact = float(sum(map(Fraction, row.tolist())))
            assert math.isclose(total, exact, rel_tol=1e-12, abs_tol=1e-12)


def counted(batches):
    seen, low, high = Histogram(), math.inf, -math.inf
    for batch in batches:
        low, high = min(low, float(batch.min())), max(high, float(batch.max()))
        seen.add(batch, low, high)
    return seen.first, seen.width, seen.counts.tolist()


def test_a_histogram_does_not_depend_on_batches_or_their_order():
    x = torch.from_numpy(np.random.default_rng(3).normal(size=3000)) ** 3
    x = torch.floor(x * 1024) / 1024 + 2.0**-11  # beside every edge
    whole = counted([x])
    assert counted(torch.split(x, 100)) == whole
    assert counted(reversed(torch.split(x, 7))) == whole
    first, width, counts = whole
    assert len(counts) <= BINS + 1
    assert len(counts) > BINS / 2
    numbers = np.floor(x.numpy() / width).astype(int) - first
    assert counts == np.bincount(numbers).tolist()


def test_values_on_an_edge_are_counted_alike():
    for scale in (6.0, 1.0, 0.75, 5.0):
        x = torch.arange(-8, 9, dtype=torch.float64) / 8 * scale
        wholes = {str(counted([x * (1 + noise)])) for noise in NOISE}
        assert len(wholes) == 1


def test_a_far_value_is_not_given_up_for_the_near_ones():
    """In float32 the error of clipping it would be infinite, and infinity not above infinity."""
    near = torch.linspace(-1, 1, 999, dtype=torch.float64)
    for far in (1e10, 1e30, 3e38):
        seen = Histogram()
        seen.add(torch.cat([near, torch.tensor([far])]), -1.0, far)
        low, high = seen.least_error(256)
        assert high >= far * (1 - 1 / 256)
        assert low <= 0.0


CONSTANTS = {
    "linspace": lambda _: torch.linspace(0.1, 5.0, 97),
    "normalised": lambda self: self.weight / self.weight.norm(dim=1, keepdim=True),
    "softmax": lambda self: torch.softmax(self.weight, 1),
    "product": lambda self: self.weight @ self.weight.T,
    "sines": lambda self: torch.sin(torch.arange(64) / 10000 ** (torch.arange(64) / 64)),
}
EXACT = {
    "basic": lambda self: (self.weight * 1.7 + self.weight.T / 0.3).abs().sqrt(),
    "index": lambda self: ((self.weight * 10.0).floor().long() + 7).float(),
    "bits": lambda self: self.weight.view(torch.int32).float(),
    "half": lambda self: self.weight.to(torch.bfloat16).float() - 0.1,
}


class Folded(nn.Module):
    def __init__(self, made) -> None:
        super().__init__()
        self.made = made
        random = np.random.default_rng(4).normal(size=(64, 64)).astype(np.float32)
        self.register_buffer("weight", torch.from_numpy(random))

    def forward(self, x):
        return x * self.made(self).reshape(-1)[:3]


def folded(made):
    found = quantize(Folded(made), torch.ones(1, 3), Target.load("tflite")).float_graph
    (product,) = [n for n in found.graph.nodes if n.op == "call_function" and "mul" in n.name]
    return attribute(found, product.args[1])


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_are_computed_in_float64_and_rounded_once(name):
    made = CONSTANTS[name]
    with float64_by_default():
        exact = Folded(made).double()
        exact.weight = Folded(made).weight.double()
        wanted = made(exact).reshape(-1)[:3]
    got = folded(made)
    assert got.dtype == torch.float32
    assert torch.equal(got, wanted.float())


@pytest.mark.parametrize("name", EXACT)
def test_what_float32_defines_to_the_bit_is_kept(name):
    made = EXACT[name]
    assert torch.equal(folded(made), made(Folded(made)).reshape(-1)[:3])


class Precise(nn.Module):
    """Casts, factories and a view of bits: all of it in float64 but what cannot be."""

    def forward(self, x):
        y = x.to(torch.float32) + torch.arange(3, dtype=torch.float32) / 3
        y = torch.cumsum(y.float(), 1, dtype=torch.float32)
        z = x.view(torch.int32).float()
        return y * torch.full((3,), 0.1), z, x.bfloat16().float()


def test_calibration_runs_in_float64():
    x = torch.tensor([[0.1, 0.2, 0.7]])
    program = torch.export.export(Precise(), (x,)).module(check_guards=False)
    with float64_by_default():
        y, z, half = Double(program).run(x)
        exact = torch.cumsum(x.double() + torch.arange(3).double() / 3, 1) * 0.1
    assert torch.equal(y, exact)
    assert torch.equal(z, x.view(torch.int32).double())
    assert torch.equal(half, x.bfloat16().double())
    assert torch.get_default_dtype() == torch.float32


@torch.library.custom_op("qsim_tests::halved", mutates_args=())
def halved(x: torch.Tensor) -> torch.Tensor:
    """Half of a float32, and of nothing else."""
    if x.dtype != torch.float32:
        raise TypeError(x.dtype)
    return x * 0.5


@halved.register_fake
def _(x):
    return torch.empty_like(x)


def test_an_operator_without_float64_is_computed_in_float32():
    x = torch.tensor([[0.1, 0.3]])
    program = torch.export.export(Fn(lambda self, x: halved(x / 3)), (x,)).module(
        check_guards=False
    )
    (y,) = torch.utils._pytree.tree_leaves(Double(program).run(x))
    assert torch.equal(y, ((x.double() / 3).float() * 0.5).double())
