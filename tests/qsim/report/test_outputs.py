"""What each output is worth, and where the work is done."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import qsim
from qsim.cli.output import render
from qsim.report.evaluate import Batch, Evaluator
from qsim.report.host_words import reason_line
from qsim.report.host_work import HostWork
from qsim.report.html import render_html
from qsim.report.outputs import OutputUse
from qsim.report.placement import Share, by_reason
from qsim.report.result import Evaluation
from qsim.report.table import run_report

TARGET = qsim.Target.load("tflite")


class Three(nn.Module):
    """Codes, what a host operator makes of them, and positions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.other = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 2, 1)

    def forward(self, x: torch.Tensor) -> Any:
        y = self.conv(x)
        return y, torch.cumsum(self.other(y), 1), y.argmax(1)


def samples() -> torch.Tensor:
    return torch.rand(7, 1, 5, 5, generator=torch.Generator().manual_seed(5)) * 2 - 1


@pytest.fixture(scope="module")
def quantized() -> qsim.Quantized:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Three().eval()
    return qsim.quantize(net, (samples()[:2],), TARGET, calibration=[(samples(),)])


def evaluate(model: qsim.Quantized, lowered: qsim.Lowered, size: int = 7) -> Evaluation:
    evaluator = Evaluator(lowered, model)
    x = samples().numpy()
    for start in range(0, len(x), size):
        part = x[start : start + size]
        given = part
        if lowered.inputs[0].scale is not None:
            import hw_models as hw

            spec = lowered.inputs[0]
            given = hw.quantize(part, spec.scale, spec.zero_point, spec.format)
        evaluator.add(Batch((given,), (part,)))
    return evaluator.result()


def in_batches(graph: Any, size: int) -> list[np.ndarray]:
    with torch.no_grad():
        parts = [graph(part) for part in samples().split(size)]
    return [np.concatenate([value.numpy() for value in each]) for each in zip(*parts, strict=True)]


@pytest.mark.parametrize("size", [7, 3])
def test_every_output_by_hand(quantized: qsim.Quantized, size: int) -> None:
    lowered = qsim.lower(quantized)
    found = evaluate(quantized, lowered, size).outputs
    # By the same batches: how torch sums floats may depend on the batch.
    real, qdq = (in_batches(graph, size) for graph in (quantized.float_graph, quantized.graph))
    hardware = [value.numpy() for value in lowered(samples())]
    assert [use.holds for use in found] == ["codes", "values", "positions"]
    assert [use.shape for use in found] == [array.shape[1:] for array in hardware]
    for use, made, expected, exact in zip(found, hardware, qdq, real, strict=True):
        assert use.elements == made.size
        assert use.differing == np.count_nonzero(made != expected)
        if made.dtype == np.int64:
            assert use.sqnr_db is None
            continue
        noise = np.square(exact.astype(np.float64) - made).sum()
        wanted = 10 * math.log10(np.square(exact.astype(np.float64)).sum() / noise)
        # Sums of float64 in another order; the figure is printed with one decimal.
        assert math.isclose(use.sqnr_db or 0.0, wanted, rel_tol=1e-9)


def test_integer_outputs_are_compared_by_what_they_stand_for() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Conv2d(1, 3, 3).eval()
    model = qsim.quantize(net, (samples()[:2],), TARGET, calibration=[(samples(),)])
    lowered = qsim.lower(model)
    plain, codes = (evaluate(model, each) for each in (lowered, lowered.quantized_io()))
    assert plain.outputs_sha256 != codes.outputs_sha256
    (one,), (other,) = plain.outputs, codes.outputs
    assert (one.differing, one.sqnr_db) == (other.differing, other.sqnr_db)
    assert one.holds == other.holds == "codes"


def test_a_ratio_of_infinite_values_is_none() -> None:
    assert OutputUse("y", (), holds="values", has_float=True, signal=math.inf).sqnr_db is None
    use = OutputUse("y", (), holds="values", has_float=True, signal=math.nan)
    assert json.loads(json.dumps(use.to_dict(), allow_nan=False))["sqnr_db"] is None
    assert OutputUse("y", (), "codes", 1, has_float=True).sqnr_db == math.inf


def test_they_are_shown(quantized: qsim.Quantized) -> None:
    result = evaluate(quantized, qsim.lower(quantized))
    assert result.classification is False
    shown = render(*run_report(result, source="7", columns=100), terminal=False, columns=100)
    page = render_html(result, qsim.Target.load("tflite"), "7")
    for use in result.outputs:
        assert use.name in shown
        assert f">{use.name}</td>" in page
    assert "no classification: what each output is worth stands below" in shown
    assert "agrees with float" not in shown + page
    assert max(map(len, shown.splitlines())) <= 100


class Mixed(nn.Module):
    """A convolution on the accelerator; two sums, and a convolution in double, on the host."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.far = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 2, 2).double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.cumsum(torch.cumsum(self.conv(x), 1), 2)
        return self.far(y.double()).flatten(1)


def test_macs_of_both_sides() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Mixed().eval()
    model = qsim.quantize(net, (samples()[:2],), TARGET, calibration=[(samples(),)])
    found = evaluate(model, qsim.lower(model), 3)
    # By hand: 4 channels of 3×3 outputs of 9 taps, and 2 of 2×2 outputs of 4 channels of 4 taps.
    assert (found.macs.accelerator, found.macs.host) == (4 * 9 * 9, 2 * 4 * 4 * 4)
    assert found.operators == Share(len(found.layers), len(found.host_operators))
    document = found.to_dict()
    assert document["macs"]["share"] == 324 / 452
    groups = document["host_reasons"]
    assert sum(group["count"] for group in groups) == len(found.host_operators)
    assert sum(group["macs"] for group in groups) == 2 * 4 * 4 * 4
    sums = next(group for group in groups if "aten.cumsum.default" in group["operators"])
    assert sums["operators"]["aten.cumsum.default"] == 2
    assert [group["count"] for group in groups] == sorted(
        (group["count"] for group in groups), reverse=True
    )


def test_torch_counts_products_and_convolutions() -> None:
    work = HostWork()
    with work.count():
        torch.zeros(3, 5) @ torch.zeros(5, 7)
        nn.functional.conv2d(torch.zeros(2, 4, 6, 6), torch.zeros(8, 2, 3, 3), groups=2)
    assert work.total == 3 * 5 * 7 + 2 * 8 * 16 * 2 * 9


def test_reasons_are_counted() -> None:
    rows = [("tan", "a"), *(("cumsum", f"l{i}") for i in range(7)), ("cumprod", "")]
    operators = [
        {
            "operator": f"aten.{name}.default",
            "layer": layer,
            "reason": "no tan" if name == "tan" else "no sum",
        }
        for name, layer in rows
    ]
    groups = by_reason(operators)
    assert [(group.reason, group.count) for group in groups] == [("no sum", 8), ("no tan", 1)]
    assert reason_line(groups[0]) == (
        "8× no sum: aten.cumsum.default ×7, aten.cumprod.default in l{0-6}"
    )
    assert reason_line(groups[1]) == "1× no tan: aten.tan.default in a"
    assert Share(0, 0).fraction is None
    assert Share(3, 1).fraction == 0.75
