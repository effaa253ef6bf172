"""Moves of codes in delegates: one region, and every code that of the lowered network."""

from __future__ import annotations

import pytest
import torch

import qsim
from qsim import Target
from tests.qsim.patterns.test_move import Every, images

pytest.importorskip("executorch")

NAMES = (
    "slices",
    "chunk",
    "unbind",
    "roll",
    "expand batch",
    "pixel_shuffle",
    "unfold",
    "index",
    "mask",
)


def test_a_network_of_moves_is_one_delegate() -> None:
    from qsim.executorch import run_edge, to_edge

    x = images()
    quantized = qsim.quantize(Every(NAMES), (x[:2],), Target.load("tflite"), [x])
    edge = to_edge(quantized, max_batch=4)
    assert [(item.operator, item.reason) for item in edge.report.host] == []
    assert len(edge.report.regions) == 1
    for name, got, want in zip(
        ("y", *NAMES), run_edge(edge.manager, x), qsim.lower(quantized)(x), strict=True
    ):
        assert torch.equal(got, want), name
