"""A dynamically quantized encoder in ONNX Runtime, its products of two activations included."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import qsim
from qsim.mismatch import apart
from tests.peers.evidence.observed import compared
from tests.peers.onnxruntime.programs import run
from tests.peers.pytorch.encoder import Encoder

VNNI = torch.cpu._is_vnni_supported()
LENGTHS = (1, 7, 128)
MASKED = float(np.finfo(np.float32).min)
# What mlas computes by polynomials and in an order of its own.
OTHERS = {"float_softmax", "float_layer_norm", "float_function"}


@pytest.mark.peer(
    "ONNX Runtime",
    ["min_max", "choose_scale", "choose_zero_point", "quantize", "linear", "dequantize_sums",
     "dynamic_matmul", "dequantize", "float_add", "float_mul"],
    ["onnxruntime-dynamic-whole"],
)  # fmt: skip
@pytest.mark.parametrize(("batch", "weight_bits"), [(1, 8), (3, 7)])
def test_every_call_of_an_encoder(batch: int, weight_bits: int) -> None:
    """Each fed what it is fed in the network: products, sums, codes and scales are equal."""
    if not VNNI and weight_bits == 8:
        pytest.skip("mlas saturates pairs of products on this processor")
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    inputs = []
    for length in LENGTHS:
        x = rng.standard_normal((batch, length, 32)).astype(np.float32) * 3
        mask = np.zeros((batch, 1, 1, length), np.float32)
        mask[-1, ..., -(length // 3) or length :] = MASKED
        inputs += [x, mask]
    target = qsim.Target.load("onnxruntime-dynamic-whole")
    config = {"default": {"weight_bits": weight_bits}}
    example = tuple(map(torch.from_numpy, inputs))
    lowered = qsim.lower(qsim.quantize(Encoder().eval(), example, target, config=config))
    assert not lowered.host_operators
    (program,) = lowered.programs
    compared(program, target)
    trace = lowered.trace(*inputs)
    made = {name: trace.tensors[name] for name in program.tensors}

    fed = apart(made, run(program, made, apart=OTHERS))
    assert len(fed.integers) == 63
    assert fed.first is None, str(fed)

    # End to end, codes follow floats: the first difference is one of mlas's own operators.
    whole = apart(made, run(program, {name: made[name] for name in program.inputs}))
    assert whole.first is not None
    primitives = {call.output: call.primitive for call in program.calls}
    assert primitives[whole.first.name] in OTHERS
    codes = [each for each in whole.integers if primitives[each.name] == "quantize"]
    assert all(each.largest <= 1 for each in codes), str(whole)
