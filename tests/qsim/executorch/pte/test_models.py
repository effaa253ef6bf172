"""The built-in models as programs of portable and quantized kernels: equal to the C++ runtime."""

from __future__ import annotations

import pytest
import torch

import qsim
from qsim.executorch import Pte
from tests import networks
from tests.qsim.executorch import pte_nets as nets

SLOW = [
    pytest.param(name, marks=pytest.mark.soak)
    for name in ("resnet8", "ds_cnn", "mobilenet_v1", "autoencoder", "mobilenet_v2", "resnet18")
]
# The runtime's kernels take a minute for one image of these.
LARGE = ("mobilenet_v2", "resnet18")


@pytest.mark.parametrize("name", ["digits", *SLOW])
@pytest.mark.parametrize("quantized", [False, True], ids=["float", "quantized"])
def test_a_model_equals_the_runtime(name: str, quantized: bool, one_thread: None) -> None:
    model = networks.model(name)
    module = model.module
    if quantized:
        target = qsim.Target.load("tflite")
        module = qsim.quantize(
            module, model.example_inputs, target, calibration=model.calibration
        ).graph
        module.eval = lambda: module  # type: ignore[method-assign] # PT2E graphs refuse eval()
    import executorch.kernels.quantized  # noqa: F401 - its operators, before memory is planned

    data = nets.program(module, model.example_inputs).buffer
    generator = torch.Generator().manual_seed(3)
    calls = [tuple(torch.randn(x.shape, generator=generator) for x in model.example_inputs)]
    if name not in LARGE:
        calls.append(model.example_inputs)
    pte = Pte(data)
    for call, expected in zip(calls, nets.run_cpp(data, *calls), strict=True):
        assert nets.same(nets.listed(pte(*call)), expected)
