"""The built-in models, quantized by qsim and converted: every tensor in LiteRT equals qsim's."""

from __future__ import annotations

import numpy as np
import pytest

import qsim
from qsim.models import load
from tests.peers.litert_convert import Converter
from tests.peers.litert_run import KERNELS, run

BATCH = 2
NAMES = ["digits", "resnet8", "mobilenet_v1"]
TARGETS = {f"litert-{name}": name for name in KERNELS if name != "xnnpack"} | {"xnnpack": "xnnpack"}


def channels_first(codes: np.ndarray) -> np.ndarray:
    return codes.transpose(0, 3, 1, 2) if codes.ndim == 4 else codes


@pytest.mark.parametrize("name", NAMES)
def test_every_tensor(name: str) -> None:
    """Each kernel set gives the trace of the network lowered for the target of that name."""
    model = load(name)
    target = qsim.Target.load("tflite")
    quantized = qsim.quantize(
        model.module, model.example_inputs, target, calibration=model.calibration
    )
    (program,) = qsim.lower(quantized, target).programs
    converted = Converter(program, BATCH)
    rng = np.random.default_rng(1)
    (entry,) = program.inputs
    shape = (BATCH, *program.tensors[entry].shape[1:])
    x = rng.integers(-128, 128, shape).astype(np.int8)
    for chosen, kernels in TARGETS.items():
        lowered = qsim.lower(quantized, qsim.Target.load(chosen))
        expected: dict[str, np.ndarray] = {}

        def keep(call: object, codes: np.ndarray, ledger: object, kept: dict = expected) -> None:
            kept[call.output] = codes  # type: ignore[attr-defined]

        lowered.programs[0].run(x, trace=keep)
        images = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
        actual, left_over = run(converted.model, images, kernels=kernels)
        assert kernels != "xnnpack" or left_over <= {"AVERAGE_POOL_2D"}
        compared = [tensor for tensor in actual if tensor in expected]
        assert len(compared) >= 10
        for tensor in compared:
            np.testing.assert_array_equal(
                channels_first(actual[tensor]), expected[tensor], f"{chosen}: {tensor}"
            )
