"""Windows in three dimensions, uneven, without a batch, with a divisor: exactly torch's.

Every call of a lowered network is computed again by torch, in float64 on its codes: integers of
this size are exact there. A mean is a sum and a count, divided as the contract says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

import qsim
from hw_models.pools.avg_pool import avg_pool, divide
from qsim import Target
from qsim.errors import ModelError
from qsim.executorch import to_edge
from qsim.network.lowered import Lowered
from qsim.program import Call, Program, TensorSpec
from tests.qsim.network import nets
from tests.qsim.program.reading import primitives


class Volumes(nn.Module):
    """Every kind of window once, in three dimensions and in fewer."""

    def __init__(self) -> None:
        super().__init__()
        self.same = nn.Conv3d(2, 4, (2, 3, 3), padding="same")
        self.grouped = nn.Conv3d(4, 4, 2, (1, 2, 1), (1, 0, 1), (2, 1, 1), groups=2)
        self.up = nn.ConvTranspose3d(4, 4, 2, (2, 1, 2), groups=2, output_padding=(1, 0, 0))
        self.up2d = nn.ConvTranspose2d(4, 6, 3, 2, groups=2)
        self.up1d = nn.ConvTranspose1d(6, 6, 2, 2, groups=6)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = F.max_pool3d(F.relu(self.same(x)), 2, 1, 1, dilation=(1, 2, 1))
        x = F.avg_pool3d(self.grouped(x), 2, (1, 2, 2), 1, ceil_mode=True, count_include_pad=False)
        x, _ = F.max_pool3d(self.up(x), 2, (2, 1, 1), return_indices=True)
        uneven = F.adaptive_max_pool3d(x, (2, 3, 2)) + F.adaptive_avg_pool3d(x, (2, 3, 2))
        summed = F.avg_pool3d(uneven, (2, 2, 1), 1, divisor_override=3)
        plane = self.up2d(uneven.flatten(2, 3))
        line = self.up1d(F.relu(F.avg_pool2d(plane, 3, 2, 1, divisor_override=5)).flatten(2))
        rows = F.max_pool1d(line.mean(2), 2)  # no batch: its rows are what is pooled
        return summed, F.adaptive_max_pool2d(plane, 1), F.adaptive_avg_pool1d(line, 5), rows


def build(contract: str) -> tuple[Lowered, Tensor]:
    x = torch.randn(3, 2, 3, 5, 4, generator=torch.Generator().manual_seed(1))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = Volumes().eval()
    target = Target.load(contract)
    return qsim.lower(qsim.quantize(module, (x[:2],), target, [x]), target), x


@pytest.fixture(scope="module")
def network() -> tuple[Lowered, Tensor]:
    return build("tflite")


def test_every_window_goes_to_the_accelerator(network: tuple[Lowered, Tensor]) -> None:
    lowered, x = network
    assert lowered.host_operators == ()
    assert len(lowered.programs) == 1
    found = primitives(lowered)
    assert found.count("correlation") == 2
    assert found.count("transposed_correlation") == 3
    calls = {call.name: call.attributes for call in lowered.programs[0].calls}
    assert calls["adaptive_max_pool3d.max_pool"]["output_size"] == [2, 3, 2]
    assert calls["avg_pool3d_1.avg_pool"]["divisor"] == 1  # the divisor is in the requantize
    macs = {entry.call: entry.macs for entry in lowered.trace(x).ledger}
    # Outputs of a sample times products of each; of a transposed one, inputs times products.
    assert macs["conv3d.correlation"] == 4 * 3 * 5 * 4 * (2 * 2 * 3 * 3)
    shape = lowered.programs[0].tensors["max_pool3d"].shape
    assert shape == (-1, 4, 4, 5, 5)


def test_stream_interpreter_samples_and_batch_are_one(network: tuple[Lowered, Tensor]) -> None:
    lowered, x = network
    batch, trace = lowered(x), lowered.trace(x)
    for tensor, traced in zip(batch, trace.outputs, strict=True):
        np.testing.assert_array_equal(tensor, traced)
    singles = [lowered(x[i : i + 1]) for i in range(len(x))]
    for position, tensor in enumerate(batch):
        assert torch.equal(tensor, torch.cat([single[position] for single in singles]))


def test_the_stream_says_what_it_leaves_to_kernels(network: tuple[Lowered, Tensor]) -> None:
    (program,) = network[0].programs
    left = {}
    for command in program.stream().compiled.commands:
        if command.op is None:
            left[program.calls[command.calls[0]].name] = command.reason
    assert left["conv3d.correlation"] == "windows of three dimensions"
    assert left["max_pool3d.max_pool"] == "windows of three dimensions"
    assert left["adaptive_avg_pool1d.avg_pool"] == "windows of differing lengths"
    assert "max_pool1d.max_pool" not in left
    plan = program.stream().compiled.plan
    assert plan.size >= 2 * 4 * 4 * 5 * 5  # a volume and what is made of it


def test_the_stream_divides_by_a_divisor_as_the_kernel_does() -> None:
    x = np.random.default_rng(0).integers(-128, 128, (2, 3, 5, 4), np.int8)
    x[0, 0], x[0, 1] = 127, -128  # six of them, over five, leave the codes
    attributes = MEAN | {"kernel": [2, 3], "stride": [1, 2], "padding": [1, 1], "divisor": 5}
    attributes |= {"zero_point": -9, "rounding": "half_even"}
    tensors = {
        "x": TensorSpec("x", (-1, 3, 5, 4), nets.INT8),
        "y": TensorSpec("y", (-1, 3, 6, 2), nets.INT8),
    }
    call = Call("call", "", "avg_pool", ("x",), "y", attributes)
    program = Program("p", ("x",), ("y",), tensors, {}, (call,))
    assert all(command.op is not None for command in program.stream().compiled.commands)
    wanted = avg_pool(x, (2, 3), (1, 2), (1, 1), "half_even", divisor=5, zero_point=-9)
    assert {-128, 127} <= set(wanted.reshape(-1).tolist())
    np.testing.assert_array_equal(program.run(x)[0], wanted)


def again(call: Call, program: Program, arrays: list[np.ndarray]) -> np.ndarray | None:
    """Return what torch makes of a call's codes, or None for a primitive without windows."""
    a: dict[str, Any] = dict(call.attributes)
    x = torch.from_numpy(np.array(arrays[0], np.float64))
    dims = x.ndim - 2
    if call.primitive == "correlation":
        ends = [size for pair in reversed(a["padding"]) for size in pair]
        pad = a["x_zero_point"] if a["pad_value"] is None else a["pad_value"]
        x = F.pad(x, ends, value=pad) - a["x_zero_point"]
        weight = torch.from_numpy(np.array(arrays[1], np.float64))
        conv = getattr(F, f"conv{dims}d")
        return conv(x, weight, None, a["stride"], 0, a["dilation"], a["groups"]).numpy()
    if call.primitive == "transposed_correlation":
        weight = torch.from_numpy(np.array(arrays[1], np.float64))
        crop, more = ([pair[1] for pair in a[name]] for name in ("padding", "output_padding"))
        conv = getattr(F, f"conv_transpose{dims}d")
        options = (a["stride"], crop, more, a["groups"], a["dilation"])
        return conv(x - a["x_zero_point"], weight, None, *options).numpy()
    if call.primitive not in ("max_pool", "avg_pool"):
        return None
    if a.get("output_size") is not None:
        pool = getattr(F, f"adaptive_{call.primitive}{dims}d")
        y = pool(x, a["output_size"])
        if call.primitive == "max_pool":
            return y.numpy()
        return mean(y, shares(x.shape[2:], y.shape[2:]), a)
    kernel = list(x.shape[2:]) if a["kernel"] is None else a["kernel"]
    if call.primitive == "max_pool":
        options = (a["stride"], a["padding"], a["dilation"], a["ceil_mode"])
        return getattr(F, f"max_pool{dims}d")(x, kernel, *options).numpy()
    # The sum of a window, and how many of its taps lie in the input: pools of divisor 1.
    where = (kernel, a["stride"] or kernel, a["padding"], a["ceil_mode"])
    total, taps = (pooled(v, where) for v in (x, torch.ones_like(x)))
    if a.get("divisor") is not None:
        total, taps = total + (a["divisor"] - taps) * a["zero_point"], 0 * taps + a["divisor"]
    elif a["count_include_pad"]:
        counted = pooled(torch.ones_like(x), where, include=True)
        total, taps = total + (counted - taps) * a["zero_point"], counted
    return mean(total / taps, taps, a)


def pooled(x: Tensor, where: tuple[Any, ...], *, include: bool = False) -> Tensor:
    """Return the sums under windows; of ones, how many taps count."""
    one = x.ndim == 3
    x = x[:, :, None] if one else x
    lead = [1] * one
    kernel, stride, ends = ([*lead, *v] for v in where[:3])
    ends = [0, *where[2]] if one else ends
    pool = F.avg_pool2d if x.ndim == 4 else F.avg_pool3d
    summed = pool(x, kernel, stride, ends, where[3], include, 1)
    if include:  # of all that lies in the padded input: a sum over their mean
        summed = summed / pool(x, kernel, stride, ends, where[3], include)
    return summed[:, :, 0] if one else summed


def shares(sizes: tuple[int, ...], counts: tuple[int, ...]) -> Tensor:
    """Return the elements under every adaptive window: those that its share touches."""
    taps = torch.ones(())
    for size, count in zip(sizes, counts, strict=True):
        lengths = [
            sum(i * size < (t + 1) * count and t * count < (i + 1) * size for t in range(size))
            for i in range(count)
        ]
        taps = taps[..., None] * torch.tensor(lengths, dtype=torch.float64)
    return taps


def mean(y: Tensor, taps: Tensor, a: dict[str, Any]) -> np.ndarray:
    """Round means of few taps as the call does: their sums are integers again."""
    assert not a.get("centered")
    counts = taps.round().long().expand_as(y).numpy()
    sums = (y * taps).round().long().numpy()
    flat = [
        divide(int(total), int(count), a["rounding"])
        for total, count in zip(sums.reshape(-1), counts.reshape(-1), strict=True)
    ]
    return np.array(flat).reshape(sums.shape)


def test_every_call_is_torchs_on_its_codes(network: tuple[Lowered, Tensor]) -> None:
    lowered, x = network
    (program,), trace = lowered.programs, lowered.trace(x)
    seen = []
    for call in program.calls:
        arrays = [
            program.constants[name] if name in program.constants else trace.tensors[name]
            for name in call.inputs
        ]
        wanted = again(call, program, arrays)
        if wanted is not None:
            np.testing.assert_array_equal(trace.tensors[call.output], wanted, call.name)
            seen.append(call.primitive)
    assert len(seen) == 16


@pytest.mark.parametrize("contract", ["q7", "onnxruntime", "tosa"])
def test_other_datapaths_are_near_the_float_network(contract: str) -> None:
    lowered, x = build(contract)
    assert {item.reason.partition(" has no ")[2] for item in lowered.host_operators} <= {
        "transposed_correlation"
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        real = Volumes().eval()(x)
    for ours, theirs in zip(lowered(x), real, strict=True):
        error = float((ours - theirs).detach().square().mean() / theirs.detach().square().mean())
        assert error < 0.02


def test_files_and_golden_sets_carry_volumes(
    network: tuple[Lowered, Tensor], tmp_path: Path
) -> None:
    lowered, x = network
    lowered.save(tmp_path / "net.qsim")
    for one, other in zip(qsim.load(tmp_path / "net.qsim")(x), lowered(x), strict=True):
        assert torch.equal(one, other)
    qsim.golden.record(lowered, x[:1], tmp_path / "golden")
    checked = qsim.golden.check(tmp_path / "golden")
    assert len(checked.results) == len(lowered.programs[0].calls)
    assert all(result.mismatch is None for result in checked.results)


class Left(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.conv = name, nn.Conv2d(2, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.name == "divisor":
            return F.avg_pool2d(x, 2, divisor_override=-4)
        if self.name == "indices":
            values, where = F.adaptive_max_pool2d(x, 4, return_indices=True)
            return values + where
        return F.lp_pool2d(x, 2.0, 2)


@pytest.mark.parametrize(
    ("name", "operator", "reason"),
    [
        ("divisor", "avg_pool2d", "its divisor is -4; avg_pool divides by 1 to 2**30"),
        ("indices", "adaptive_max_pool2d", "the positions of its maxima are read"),
    ],
)
def test_what_stays_in_torch_says_why(name: str, operator: str, reason: str) -> None:
    x = torch.randn(2, 2, 6, 6, generator=torch.Generator().manual_seed(2))
    module, target = Left(name).eval(), Target.load("tflite")
    lowered = qsim.lower(qsim.quantize(module, (x,), target, [x]), target)
    found = {item.operator.split(".")[1]: item.reason for item in lowered.host_operators}
    assert reason in found[operator]
    assert torch.isfinite(lowered(x)).all()


def test_edge_programs_carry_volumes() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv3d(1, 2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return F.adaptive_avg_pool3d(F.max_pool3d(self.conv(x), 2, 1), 1)

    x = torch.randn(1, 1, 4, 4, 4, generator=torch.Generator().manual_seed(3))
    quantized = qsim.quantize(Net().eval(), (x,), Target.load("tflite"), [x])
    edge = to_edge(quantized)
    assert torch.equal(edge(x), qsim.lower(quantized)(x))


POOL = {"kernel": None, "stride": None, "padding": 0, "ceil_mode": False, "dilation": 1}
MEAN = {"kernel": 2, "stride": None, "padding": 0, "rounding": "floor", "count_include_pad": False,
        "ceil_mode": False, "zero_point": 0}  # fmt: skip
HOSTILE = [
    ("max_pool", POOL | {"output_size": [2, 2]}, "output_size must have one value per dimension"),
    ("max_pool", POOL | {"output_size": [0, 2, 2]}, "must be an integer in range"),
    ("max_pool", POOL | {"output_size": 1 << 17}, "must be an integer in range"),
    ("max_pool", POOL | {"output_size": "2"}, "must be an integer in range"),
    ("max_pool", POOL | {"output_size": 2, "kernel": 2}, "follow from output_size alone"),
    ("max_pool", POOL | {"output_size": 2, "padding": [1, 0, 0]}, "from output_size alone"),
    ("max_pool", POOL | {"output_size": 2, "dilation": 2}, "follow from output_size alone"),
    ("max_pool", POOL | {"kernel": [2, 2, 2, 2]}, "must have one value per dimension"),
    ("avg_pool", MEAN | {"divisor": 0}, "must be an integer in range"),
    ("avg_pool", MEAN | {"divisor": (1 << 30) + 1}, "must be an integer in range"),
    ("avg_pool", MEAN | {"divisor": 2.0}, "must be an integer in range"),
    ("avg_pool", MEAN | {"divisor": 2, "kernel": None, "output_size": 1}, "output_size alone"),
]


@pytest.mark.parametrize(("primitive", "attributes", "message"), HOSTILE)
def test_attributes_that_make_no_sense_are_refused(
    primitive: str, attributes: dict[str, Any], message: str
) -> None:
    tensors = {
        "x": TensorSpec("x", (-1, 2, 3, 3, 3), nets.INT8),
        "y": TensorSpec("y", (-1, 2, 2, 2, 2), nets.INT8),
    }
    call = Call("call", "", primitive, ("x",), "y", attributes)
    with pytest.raises(ModelError, match=message):
        Program("p", ("x",), ("y",), tensors, {}, (call,))
