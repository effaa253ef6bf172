"""What stays in torch: taken where a host step can be it, refused before the calibration else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own name for it
from torch import nn

import qsim
from tests.qsim.quantizer.graphs import Fn


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def without(*primitives: str) -> qsim.Target:
    document = qsim.Target.load("tflite").to_dict()
    for primitive in primitives:
        document["primitives"]["available"].remove(primitive)
    return qsim.Target.from_dict(document)


def after_conv(function: Callable[..., Any], **modules: nn.Module) -> nn.Module:
    def forward(self: Any, x: torch.Tensor) -> Any:
        return function(self, self.conv(x))

    return Fn(forward, conv=nn.Conv2d(2, 4, 3, padding=1), **modules).eval()


def batch(size: int = 4) -> torch.Tensor:
    torch.manual_seed(size)
    return torch.randn(size, 2, 6, 6)


SIZES = [batch(size) for size in (1, 3, 5)]


def exact(y: torch.Tensor, factor: float = 2) -> torch.Tensor:
    return F.interpolate(y, scale_factor=factor, mode="nearest-exact")


def smoothed(y: torch.Tensor, mode: str) -> torch.Tensor:
    return F.interpolate(y, size=(4, 4), mode=mode, antialias=True)


RESIZED: dict[str, Callable[..., Any]] = {
    "exact of one dimension": lambda self, y: exact(y.flatten(2)),
    "exact": lambda self, y: exact(y),
    "exact of three": lambda self, y: exact(y[:, :, None]),
    "to no whole factor": lambda self, y: exact(y, 1.3),
    "smoothed": lambda self, y: smoothed(y, "bilinear"),
    "cubic, smoothed": lambda self, y: smoothed(y, "bicubic"),
}


@pytest.mark.parametrize("case", RESIZED)
def test_resizing_without_the_primitive_stays_in_torch(case: str) -> None:
    model = after_conv(RESIZED[case])
    # The nearest neighbour is a move as well.
    target = without("resize", "strided_slice", "gather")
    quantized = qsim.quantize(model, (batch(),), target, SIZES)
    lowered = qsim.lower(quantized)
    assert any("_upsample" in operator.operator for operator in lowered.host_operators)
    for size in (1, 3):
        torch.testing.assert_close(lowered(batch(size)), model(batch(size)), atol=0.1, rtol=0)


@pytest.mark.parametrize("affine", [True, False])
def test_a_batch_norm_of_its_own_statistics_stays_in_torch(affine: bool) -> None:
    norm = nn.BatchNorm2d(4, affine=affine, track_running_stats=False)
    model = after_conv(lambda self, y: self.norm(y), norm=norm)
    quantized = qsim.quantize(model, (batch(),), qsim.Target.load("tflite"), SIZES)
    lowered = qsim.lower(quantized)
    assert [o.operator for o in lowered.host_operators] == ["aten.native_batch_norm.default"]
    for size in (1, 5):
        x = batch(size)
        assert torch.equal(quantized.float_graph(x), model(x))
        torch.testing.assert_close(lowered(x), model(x), atol=0.1, rtol=0)


INDICES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "end": lambda y: torch.arange(y.shape[0]),
    "start": lambda y: torch.arange(0, y.shape[0]),
    "step": lambda y: torch.arange(0, y.shape[0], 1),
    "another type": lambda y: torch.arange(y.shape[0], dtype=torch.float32),
}


@pytest.mark.parametrize("case", INDICES)
def test_an_index_over_the_batch_is_counted(case: str) -> None:
    model = after_conv(lambda self, y: y + INDICES[case](y).float().view(-1, 1, 1, 1))
    quantized = qsim.quantize(model, (batch(),), qsim.Target.load("tflite"))
    lowered = qsim.lower(quantized)
    for size in (1, 3, 9):
        assert torch.equal(quantized.float_graph(batch(size)), model(batch(size)))
        assert lowered(batch(size)).shape == (size, 4, 6, 6)
    assert np.diff(lowered(torch.zeros(3, 2, 6, 6)).mean((1, 2, 3)).numpy()).min() > 0.5


LINE = r"\(test_host_operators\.py:\d+\)"


def calibration() -> Iterator[torch.Tensor]:
    raise AssertionError("it was calibrated")
    yield batch()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda self, y: y + y.as_strided((2,), (1,)).sum(),
            r"^as_strided \(test_host_operators\.py:\d+\): .*as_strided\.default' \(it stays",
        ),
        (
            lambda self, y: self.inner(y),
            r"^inner \(test_host_operators\.py:\d+\): a host operator must be.*'aten\.as_strided",
        ),
        (
            lambda self, y: (y, y.shape[0]),
            r"^sym_size_int.* returns a size as output 1",
        ),
        (lambda self, y: (y, self.conv.weight), r"output 1 of the model depends on no input"),
        (
            lambda self, y: (y, self.conv.weight * 2),
            rf"^mul_folded {LINE}: output 1 of the model depends on no input",
        ),
        (lambda self, y: y * y.max().item(), rf"^item {LINE}: aten\.item.*depends on values"),
        (lambda self, y: y[y > 0].sum() + y, rf"^index {LINE}: aten\.index.*depends on values"),
        (lambda self, y: (y > 0).nonzero(), rf"^nonzero {LINE}: aten\.nonzero.*depends on values"),
        (
            lambda self, y: y + y.bfloat16().cumsum(1) * torch.ones(6).bfloat16(),
            rf"^mul {LINE}: it reads '\w+', a constant of bfloat16, which no network holds",
        ),
        (
            lambda self, y: (y * torch.ones(6).mul(1j)).abs(),
            rf"^mul_1 {LINE}: it reads '\w+', a constant of complex64",
        ),
        (lambda self, y: torch.fft.fft(y), rf"^fft_fft {LINE}: output 0 of the model is complex64"),
        (lambda self, y: y[:, :0], rf"^\w+ {LINE}: output 0 of the model has the shape \(N, 0, 6"),
        (
            lambda self, y: y.reshape(-1, 1, 1, 1, 1, 1, 4, 6, 6),
            rf"^reshape {LINE}: .* the shape \(N, 1, 1, 1, 1, 1, 4, 6, 6\) \(accepted: at most 8",
        ),
        (lambda self, y: y * (y.shape[0] / 2), rf"^truediv {LINE}: a host operator must be"),
        (
            lambda self, y: y.masked_fill(y.cumsum(1) > 0, -(2**40)),
            rf"^masked_fill {LINE}: an integer must fit 32 bits",
        ),
    ],
)
def test_what_no_step_can_be_is_refused_before_the_calibration(
    function: Callable[..., Any], message: str
) -> None:
    class Inner(nn.Module):
        def forward(self, y: torch.Tensor) -> torch.Tensor:
            return y + y.as_strided((2,), (1,)).sum()

    model = after_conv(function, inner=Inner())
    with pytest.raises(qsim.ModelError, match=message):
        qsim.quantize(model, (batch(),), qsim.Target.load("tflite"), calibration())


@pytest.mark.parametrize("what", ["weight", "bias"])
def test_a_weight_that_is_not_finite_is_refused_before_the_calibration(what: str) -> None:
    model = after_conv(lambda self, y: self.conv(y[:, :2]))
    with torch.no_grad():
        getattr(model.conv, what).view(-1)[0] = torch.nan
    with pytest.raises(qsim.ModelError, match=rf"^conv {LINE}: the {what} holds a NaN"):
        qsim.quantize(model, (batch(),), qsim.Target.load("tflite"), calibration())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.complex64, torch.float8_e4m3fn])
def test_an_input_that_no_array_holds_is_refused(dtype: torch.dtype) -> None:
    model = after_conv(lambda self, y: y)
    with pytest.raises(qsim.InputError, match=r"^example_inputs\[0\]: it is (bf|compl|float8)"):
        qsim.quantize(model, (batch().to(dtype),), qsim.Target.load("tflite"), calibration())


def test_more_dimensions_than_a_program_has_stay_in_torch() -> None:
    model = after_conv(lambda self, y: y.reshape(-1, 1, 1, 1, 1, 1, 4, 6, 6).sum((1, 2, 3)))
    lowered = qsim.lower(qsim.quantize(model, (batch(),), qsim.Target.load("tflite")))
    (reason,) = {item.reason for item in lowered.host_operators if "reshape" in item.operator}
    assert reason == "its result has 9 dimensions, more than 8"
    assert lowered(batch(3)).shape == (3, 1, 1, 4, 6, 6)


FACTORIES: dict[str, Callable[[int], torch.Tensor]] = {
    "downward": lambda n: torch.arange(n, 0, -1).float(),
    "eye": lambda n: torch.eye(n).cumsum(0).sum(1),
    "zeros of nothing": lambda n: torch.zeros(max(n, 2) % 7)[:1] + n // 3,
    "differences": lambda n: torch.arange(n + 1).pow(2).diff().float(),
}


@pytest.mark.parametrize("case", FACTORIES)
def test_what_sizes_alone_make_is_made_on_the_host(case: str) -> None:
    model = after_conv(lambda self, y: y + FACTORIES[case](y.shape[0]).sum())
    quantized = qsim.quantize(model, (batch(),), qsim.Target.load("tflite"))
    lowered = qsim.lower(quantized)
    for size in (2, 3, 5):
        assert torch.equal(quantized.float_graph(batch(size)), model(batch(size)))
        assert lowered(batch(size)).shape == (size, 4, 6, 6)
