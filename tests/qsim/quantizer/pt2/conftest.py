"""Networks that the tests of ``.pt2`` files share."""

from __future__ import annotations

import pytest
import torch

from qsim.quantizer import quantize
from qsim.target import Target
from tests.qsim.quantizer.pt2.files import Net, Small


@pytest.fixture(scope="package")
def quantized():
    torch.manual_seed(0)
    return quantize(Net(), torch.randn(1, 4, 6, 6)[:, :1], Target.load("tflite"))


@pytest.fixture(scope="package")
def saved(quantized, tmp_path_factory):
    path = tmp_path_factory.mktemp("pt2") / "net.pt2"
    quantized.save_pt2(path)
    return path


@pytest.fixture(scope="package")
def small(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("pt2") / "small.pt2"
    torch.export.save(torch.export.export(Small().eval(), (torch.randn(2, 2),)), path)
    return path
