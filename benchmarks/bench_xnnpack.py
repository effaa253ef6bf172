"""Whole networks side by side with XNNPACK, through LiteRT: the same integers, on every processor.

    python -m benchmarks.bench_xnnpack [MODEL ...]

Both run one quantized network: ours lowered for ``xnnpack``, LiteRT's converted tensor by tensor as
the peer tests convert it. Both take and return codes; every output code is compared before any time
is taken, so that a ratio never stands for different results. One thread each.
"""

from __future__ import annotations

import sys
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

import qsim
from benchmarks.harness import Timing, measure, one_thread, table
from qsim.models.spec import load
from tests.peers.litert.convert import Converter
from tests.peers.litert.run import KERNELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from qsim.program import Program

MODELS = ("digits", "resnet8", "ds_cnn", "mobilenet_v1", "mobilenet_v2", "resnet18")
BATCHES = (1, 8)
TARGET = 1.0


def programs(name: str) -> tuple[Program, Program]:
    """Return a network as XNNPACK computes it, and as the converter reads it."""
    model = load(name)
    calibration = list(model.calibration or [model.example_inputs])[:1]
    tflite = qsim.Target.load("tflite")
    quantized = qsim.quantize(model.module, model.example_inputs, tflite, calibration=calibration)
    made = [
        qsim.lower(quantized, target).programs for target in (qsim.Target.load("xnnpack"), tflite)
    ]
    (ours,), (plain,) = made
    return ours, plain


def channels_last(codes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return images as LiteRT takes them."""
    return np.ascontiguousarray(codes.transpose(0, 2, 3, 1)) if codes.ndim == 4 else codes


def session(plain: Program, codes: np.ndarray[Any, Any]) -> Callable[[], np.ndarray[Any, Any]]:
    """Return a call of LiteRT that computes these codes: input in, invoke, output out."""
    converted = Converter(plain, len(codes))
    interpreter = Interpreter(
        model_content=converted.model.serialize(every=False),
        num_threads=1,
        experimental_op_resolver_type=KERNELS["xnnpack"],
    )
    interpreter.allocate_tensors()
    (entry,), (end,) = interpreter.get_input_details(), interpreter.get_output_details()

    def call() -> np.ndarray[Any, Any]:
        interpreter.set_tensor(entry["index"], codes)
        interpreter.invoke()
        result: np.ndarray[Any, Any] = interpreter.get_tensor(end["index"])
        return result

    return call


def speed(name: str) -> list[Timing]:
    """Return the timings of a network, one for each batch size."""
    ours, plain = programs(name)
    products = sum(ours.macs(call) for call in ours.calls)
    shape = ours.tensors[ours.inputs[0]].shape[1:]
    found = []
    for batch in BATCHES:
        codes = np.random.default_rng(batch).integers(-128, 128, (batch, *shape)).astype(np.int8)
        peer, run = session(plain, channels_last(codes)), partial(ours.run, codes, threads=1)
        np.testing.assert_array_equal(channels_last(run()[0]), peer(), f"{name}, batch {batch}")
        slow = products * batch > 1 << 30
        found.append(
            measure(
                f"{name} batch {batch}",
                {"qsim": run, "XNNPACK": peer},
                work=products * batch,
                target=TARGET,
                rounds=7 if slow else None,
                repeats=2 if slow else 4,
            )
        )
    return found


def main(names: tuple[str, ...] = MODELS) -> None:
    """Print the table."""
    one_thread()
    warnings.simplefilter("ignore")
    print(table([timing for name in names for timing in speed(name)]))


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or MODELS)
