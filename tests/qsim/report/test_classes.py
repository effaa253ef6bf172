"""When an argmax that agrees says something."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import qsim
from qsim.report.classes import classifies
from qsim.report.evaluate import Batch, Evaluator, interpret
from qsim.report.result import Evaluation


class Ends(nn.Module):
    """A convolution, a linear, and an end."""

    def __init__(self, end: Any) -> None:
        super().__init__()
        self.conv, self.head, self.end = nn.Conv2d(1, 2, 3), nn.Linear(2 * 3 * 3, 4), end

    def forward(self, x: torch.Tensor) -> Any:
        return self.end(self.conv(x), self.head)


def _logits(x: torch.Tensor, head: nn.Module) -> torch.Tensor:
    return head(x.flatten(1))


ENDS: dict[str, tuple[Any, bool]] = {
    "linear": (_logits, True),
    "softmax": (lambda x, head: _logits(x, head).softmax(1), True),
    "log_softmax": (lambda x, head: _logits(x, head).log_softmax(-1), True),
    "softmax of anything": (lambda x, _: x.flatten(1).softmax(1), True),
    "argmax": (lambda x, head: _logits(x, head).argmax(1), True),
    "argmax, kept": (lambda x, head: _logits(x, head).argmax(1, keepdim=True), True),
    "first of two": (lambda x, head: (_logits(x, head), x), True),
    "second of two": (lambda x, head: (x, _logits(x, head)), False),
    "in a dictionary": (lambda x, head: {"logits": _logits(x, head)}, True),
    "picture": (lambda x, _: x, False),
    "flat picture": (lambda x, _: x.flatten(1), False),
    "argmax of a picture": (lambda x, _: x.argmax(1), False),
    "softmax of a picture": (lambda x, _: x.softmax(1), False),
    "linear of a row": (lambda x, head: head(x.flatten(2).reshape(-1, 1, 18)), False),
    "one number": (lambda x, head: nn.functional.linear(_logits(x, head), torch.ones(1, 4)), False),
    "sum": (lambda x, head: _logits(x, head) + 1, False),
    "relu": (lambda x, head: _logits(x, head).relu(), False),
}


def samples() -> torch.Tensor:
    return torch.rand(6, 1, 5, 5, generator=torch.Generator().manual_seed(3)) * 2 - 1


def quantized(end: Any) -> qsim.Quantized:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Ends(end)
    target, x = qsim.Target.load("tflite"), samples()
    return qsim.quantize(net.eval(), (x[:2],), target, calibration=[(x,)])


def evaluate(model: qsim.Quantized, labels: Any = None) -> Evaluation:
    evaluator = Evaluator(qsim.lower(model), model)
    evaluator.add(Batch((samples().numpy(),), (samples().numpy(),), labels))
    return evaluator.result()


@pytest.mark.parametrize("name", ENDS)
def test_a_softmax_or_a_linear_of_rank_2_is_a_classification(name: str) -> None:
    end, expected = ENDS[name]
    exported = torch.export.export(Ends(end).eval(), (samples(),)).module()
    first = interpret(exported, (samples().numpy(),), {}, codes=False)[0]
    assert classifies(exported, first, (samples().numpy(),)) is expected


def test_what_has_the_shape_of_an_input_is_given_back() -> None:
    rows = (torch.ones(2, 5),)
    exported = torch.export.export(nn.Linear(5, 5), rows).module()
    first = np.zeros((2, 5), np.float32)
    assert classifies(exported, first, (rows[0].numpy(),)) is False
    assert classifies(exported, first, (np.zeros((2, 6), np.float32),)) is True


def test_the_argmax_of_a_picture_is_no_agreement() -> None:
    found = evaluate(quantized(ENDS["picture"][0]))
    assert found.classification is False
    assert found.agreement == {"qdq": None, "hardware": None}
    assert found.scores == {}


def test_labels_make_a_classification() -> None:
    found = evaluate(quantized(ENDS["flat picture"][0]), np.zeros(6, np.int64))
    assert found.classification is True
    assert found.accuracy["hardware"] is not None
    assert found.agreement["hardware"] is not None
