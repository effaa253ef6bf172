"""torch's quantized convolutions and linear layers, every engine of this machine: equal codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.peers.pytorch.layers import (
    ENGINES,
    Geometry,
    Layer,
    accumulators,
    expected,
    float_kind,
    pairs_saturate,
    random_layer,
    run_torch,
    with_ties,
)

LINEAR = [
    Geometry("linear1", 1, 64, batch=3),
    Geometry("linear7", 7, 33, batch=1),
    Geometry("linear64", 64, 128, batch=5),
    Geometry("linear-2**24", 1200, 48, batch=2, extreme=True),
    Geometry("linear-2**24-batch16", 1280, 64, batch=16, extreme=True),
]
CONV = [
    Geometry("1x1", 5, 19, (1, 1), (4, 3)),
    Geometry("1x1-wide", 32, 64, (1, 1), (5, 5)),
    Geometry("1x1-groups4", 64, 64, (1, 1), (4, 4), groups=4),
    Geometry("3x3", 8, 16, (3, 3), (7, 6), padding=1),
    Geometry("3x2-stride2", 3, 16, (3, 2), (9, 7), stride=2, padding=1),
    Geometry("dilation2", 6, 9, (3, 3), (9, 8), dilation=2, padding=2),
    Geometry("groups2", 8, 12, (3, 3), (6, 6), padding=1, groups=2),
    Geometry("depthwise3", 16, 16, (3, 3), (7, 7), padding=1, groups=16),
    Geometry("depthwise3-stride2", 35, 35, (3, 3), (8, 8), stride=2, padding=1, groups=35),
    Geometry("depthwise5", 8, 8, (5, 5), (9, 9), padding=2, groups=8),
    Geometry("multiplier2", 8, 16, (3, 3), (6, 6), padding=1, groups=8),
    Geometry("groups104", 104, 104, (3, 3), (5, 5), padding=1, groups=104),
    Geometry("7x7-stride2", 3, 16, (7, 7), (15, 15), stride=2, padding=3),
    Geometry("3x3-2**24", 150, 24, (3, 3), (3, 3), batch=1, extreme=True),
    Geometry("3x3-2**24-wide", 160, 32, (3, 3), (5, 5), batch=1, extreme=True),
    Geometry("1d-3", 6, 16, (3,), (17,), padding=1),
    Geometry("1d-5-stride2-groups3", 9, 12, (5,), (19,), stride=2, padding=2, groups=3),
]

# torch 2.13 announces the end of these tensors; as long as they exist they are compared.
pytestmark = pytest.mark.filterwarnings(
    "ignore:torch.quantize_per_tensor, torch.quantize_per_channel and other:UserWarning"
)
engines = pytest.mark.parametrize("engine", ENGINES, indirect=True)
granularity = pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])


def same(engine: str, layer: Layer) -> None:
    for relu in (False, True):
        one = replace(layer, relu=relu)
        np.testing.assert_array_equal(run_torch(one), expected(engine, one), str(one))


@pytest.mark.peer("PyTorch FBGEMM", ["correlation"], ["pytorch"], engine="fbgemm", geometry="3x3")
@pytest.mark.peer("PyTorch FBGEMM", ["linear"], ["pytorch"], engine="fbgemm", geometry="linear64")
@pytest.mark.peer(
    "PyTorch QNNPACK", ["correlation", "requantize"], engine="qnnpack", geometry="3x3"
)
@pytest.mark.peer(
    "PyTorch QNNPACK", ["linear", "requantize"], engine="qnnpack", geometry="linear64"
)
@pytest.mark.peer(
    "PyTorch oneDNN", ["correlation", "float_requantize"], engine="onednn", geometry="3x3"
)
@pytest.mark.peer(
    "PyTorch oneDNN", ["linear", "float_requantize"], engine="onednn", geometry="linear64"
)
@engines
@granularity
@pytest.mark.parametrize("geometry", LINEAR + CONV, ids=lambda g: g.name)
def test_layer(engine: str, per_channel: bool, geometry: Geometry) -> None:
    limit = 64 if pairs_saturate(engine) else 128  # two products of 255 and 64 fit 16 bits
    rng = np.random.default_rng(len(geometry.name) + 2 * per_channel)
    for _ in range(4):
        layer = random_layer(geometry, rng, per_channel=per_channel, weight_limit=limit)
        if geometry.extreme:
            assert np.abs(accumulators(layer)).max() > (1 << 24) // (128 // limit)
        same(engine, layer)
        same(engine, with_ties(layer, rng))


@pytest.mark.parametrize("engine", [e for e in ENGINES if e == "onednn"], indirect=True)
@granularity
@pytest.mark.parametrize("geometry", LINEAR, ids=lambda g: g.name)
def test_signed_activations(engine: str, per_channel: bool, geometry: Geometry) -> None:
    """Only oneDNN's linear layer takes qint8 activations; test_signed_refused has the others."""
    rng = np.random.default_rng(len(geometry.name))
    for _ in range(6):
        layer = random_layer(geometry, rng, per_channel=per_channel, signed=True)
        same(engine, layer)
        same(engine, with_ties(layer, rng))


@engines
@pytest.mark.parametrize("geometry", [LINEAR[1], CONV[1]], ids=lambda g: g.name)
def test_signed_refused(engine: str, geometry: Geometry) -> None:
    layer = random_layer(geometry, np.random.default_rng(1), per_channel=False, signed=True)
    if engine == "onednn" and not geometry.kernel:
        same(engine, layer)
        return
    with pytest.raises(RuntimeError, match=r"(?i)quint8"):
        run_torch(layer)


@pytest.mark.parametrize(
    "engine", [e for e in ENGINES if e != "onednn"], indirect=True
)  # oneDNN refuses them
@granularity
@pytest.mark.parametrize("geometry", [LINEAR[2], CONV[1], CONV[5]], ids=lambda g: g.name)
@pytest.mark.parametrize("z_w", [-128, 5, 127])
def test_weight_zero_point(engine: str, per_channel: bool, geometry: Geometry, z_w: int) -> None:
    limit = 64 if pairs_saturate(engine) else 128
    rng = np.random.default_rng(z_w & 255)
    for _ in range(2):
        layer = random_layer(geometry, rng, per_channel=per_channel, weight_limit=limit, z_w=z_w)
        same(engine, layer)
        same(engine, with_ties(layer, rng))


@pytest.mark.parametrize("engine", [e for e in ENGINES if e == "fbgemm"], indirect=True)
def test_exception_fbgemm_depthwise_saturates_pairs(engine: str) -> None:
    """The smallest case: one channel of eight, 255 * 127 + 255 * 127 = 64770 becomes 32767."""
    geometry = Geometry("depthwise", 8, 8, (3, 3), (3, 3), padding=1, groups=8, batch=1)
    x, weight = np.zeros((1, 8, 3, 3), np.uint8), np.zeros((8, 1, 3, 3), np.int8)
    x[0, 0, 0, :2], weight[0, 0, 0, :2] = 255, 127
    one = np.float32(1)
    layer = Layer(geometry, x, weight, one, 0, np.asarray(one), 0, np.float32(512), 0)
    assert accumulators(layer)[0, 0, 1, 1] == 64770  # 127 steps of 512
    assert run_torch(layer)[0, 0, 1, 1] == round(32767 / 512) == 64
    # A lone product fits, and so does every pair of weights of 7 bits.
    weight[0, 0, 0, 1] = 0
    assert run_torch(layer)[0, 0, 1, 1] == round(32385 / 512)


@pytest.mark.parametrize("engine", [e for e in ENGINES if e == "onednn"], indirect=True)
@pytest.mark.parametrize("batch", [1, 8])
def test_exception_onednn_has_two_orders_of_scales(engine: str, batch: int) -> None:
    """The smallest case: 25 steps of 0.05 * 0.4, in float32 a tie or just above it.

    With AMX the sample alone gives 0, and 1 in a batch of 8.
    """
    x, weight = np.zeros((batch, 64), np.uint8), np.zeros((64, 64), np.int8)
    x[:, 0], weight[:, 0] = 5, 5
    s_x, s_w, one = np.float32(0.05), np.float32(0.4), np.float32(1)
    layer = Layer(Geometry("linear", 64, 64), x, weight, s_x, 0, np.asarray(s_w), 0, one, 0)
    assert np.float32(25) * s_x * s_w == 0.5 < np.float32(25) * (s_x * s_w)
    codes = {"onednn": 0, "onednn-reference": 0, "onednn-combined": 1}
    assert set(run_torch(layer).ravel()) == {codes[float_kind(engine, layer)]}


@engines
def test_exception_beyond_int32(engine: str) -> None:
    """What float32 rounds to 2**31 or more is 0 in fbgemm and qnnpack; oneDNN saturates."""
    x, weight = np.array([[255]], np.uint8), np.array([[127]], np.int8)
    one, tiny = np.float32(1), np.float32(2.0**-17)
    layer = Layer(Geometry("linear", 1, 1), x, weight, one, 0, np.asarray(one), 0, tiny, 0)
    assert 32385 << 17 > 1 << 31
    assert expected(engine, layer) == 255
    assert run_torch(layer) == (255 if engine == "onednn" else 0)
    half = replace(layer, s_y=np.float32(2.0**-16))
    assert 32385 << 16 < 1 << 31
    assert run_torch(half) == expected(engine, half) == 255
