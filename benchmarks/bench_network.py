"""Whole networks side by side with ONNX Runtime int8 and torch fp32.

    python -m benchmarks.bench_network [MODEL ...]

All three compute the same float network: ours lowered for ``tflite``, ONNX Runtime's statically
quantized by its own tool (QDQ, uint8 activations, int8 weights per channel: the form that its x86
kernels are fastest at). Ours takes and returns codes, the others floats. One thread; then ours with
two. Memory is what one run of ours needs, over the plan of its tensors plus the weights of the
network; and by how much the process grows when a file is loaded and run once, which counts the
weights twice: as the file has them, for traces and for saving, and as the loop reads them.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import io
import logging
import resource
import sys
import tempfile
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import qsim
from benchmarks.harness import Timing, measure, one_thread, table
from qsim.models.spec import load
from qsim.network import load as load_file
from qsim.network.store import save

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qsim.network.lowered import Lowered

MODELS = ("resnet8", "mobilenet_v1", "resnet18")
BATCHES = (1, 32)
ORT_TARGET, TORCH_TARGET, THREADS_TARGET, MEMORY_TARGET = 0.7, 1.0, 1.6, 1.5


class _Batches(CalibrationDataReader):
    """Calibration data as ONNX Runtime's tool reads it."""

    def __init__(self, batches: list[np.ndarray[Any, Any]]) -> None:
        self._rest: Iterator[np.ndarray[Any, Any]] = iter(batches)

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._rest, None)
        return None if batch is None else {"x": batch}


def ort_int8(
    net: torch.nn.Module, example: torch.Tensor, batches: list[np.ndarray[Any, Any]]
) -> onnxruntime.InferenceSession:
    """Return a session of the network, quantized by ONNX Runtime, on one thread."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        plain, ready, quantized = (str(Path(folder) / f"{i}.onnx") for i in range(3))
        torch.onnx.export(
            net, (example,), plain, dynamo=False, opset_version=17, input_names=["x"],
            output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
        )  # fmt: skip
        quant_pre_process(plain, ready)
        quantize_static(
            ready, quantized, _Batches(batches), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(quantized, options, providers=["CPUExecutionProvider"])


def network(name: str) -> tuple[Lowered, torch.nn.Module, onnxruntime.InferenceSession, int]:
    """Return our network, the float one, ONNX Runtime's session and a sample's products."""
    model = load(name)
    calibration = list(model.calibration or [model.example_inputs])[:1]
    lowered = qsim.lower(
        qsim.quantize(
            model.module, model.example_inputs, qsim.Target.load("tflite"), calibration=calibration
        )
    ).quantized_io()
    (program,) = lowered.programs
    session = ort_int8(model.module, model.example_inputs[0], [b[0].numpy() for b in calibration])
    return lowered, model.module, session, sum(program.macs(call) for call in program.calls)


def _float(net: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        result: torch.Tensor = net(x)
    return result


def speed(name: str) -> tuple[list[Timing], list[Timing], str]:
    """Return the timings against peers, those of two threads over one, and a line on memory."""
    lowered, net, session, products = network(name)
    (program,) = lowered.programs
    net.eval()
    peers, threads = [], []
    shape = program.tensors[program.inputs[0]].shape[1:]
    rng = np.random.default_rng(0)
    for batch in BATCHES:
        codes = rng.integers(-128, 128, (batch, *shape)).astype(np.int8)
        real = rng.random((batch, *shape), np.float32)
        slow = products * batch > 1 << 30
        rounds = 3 if slow and batch > 1 else 7 if slow else None
        repeats = 1 if slow and batch > 1 else 2
        both = measure(
            f"{name} batch {batch}",
            {
                "qsim": partial(program.run, codes, threads=1),
                "ONNX Runtime int8": partial(session.run, None, {"x": real}),
                "torch fp32": partial(_float, net, torch.from_numpy(real)),
            },
            work=products * batch,
            rounds=rounds,
            repeats=repeats,
        )
        for peer, target in (("ONNX Runtime int8", ORT_TARGET), ("torch fp32", TORCH_TARGET)):
            seconds = {key: both.seconds[key] for key in ("qsim", peer)}
            peers.append(replace(both, seconds=seconds, target=target))
        two = {
            "two threads": partial(program.run, codes, threads=2),
            "one thread": partial(program.run, codes, threads=1),
        }
        target = THREADS_TARGET if name == "resnet18" else None
        threads.append(
            measure(
                f"{name} batch {batch}",
                two,
                work=products * batch,
                target=target,
                rounds=rounds,
                repeats=repeats,
            )
        )
    return peers, threads, memory(name, lowered)


def memory(name: str, lowered: Lowered) -> str:
    """Return what a run needs over plan plus weights, at batch 1."""
    (program,) = lowered.programs
    stream = program.stream(1)
    arrays = {n for call in program.calls for n in call.inputs if n in program.constants}
    weights = sum(program.constants[n].nbytes for n in arrays)
    ratio = stream.memory / (stream.compiled.plan.size + weights)
    verdict = "met" if ratio <= MEMORY_TARGET else "MISSED"
    return (
        f"{name:<26}{stream.compiled.plan.size:>12,}{weights:>14,}{stream.memory:>14,}{ratio:>8.2f}"
        f"  {MEMORY_TARGET:g} {verdict}{growth(lowered):>14,}"
    )


def growth(lowered: Lowered) -> int:
    """Return by how many bytes the process grows when a file is loaded and run once.

    The kernels are compiled already: that is not what the network needs.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.qsim"
        save(lowered, path)
        before = _resident()
        (program,) = load_file(path).programs
        spec = program.tensors[program.inputs[0]]
        program.run(np.zeros((1, *spec.shape[1:]), np.int8), threads=1)
        return _resident() - before


def _resident() -> int:
    """Return the bytes of this process that are in memory, less what malloc holds in reserve."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def main(names: tuple[str, ...] = MODELS) -> None:
    """Print the tables."""
    one_thread()
    warnings.simplefilter("ignore")
    results = [speed(name) for name in names]
    print(table([timing for peers, _, _ in results for timing in peers]))
    print("\ntwo threads\n")
    print(table([timing for _, threads, _ in results for timing in threads]))
    columns = f"{'plan':>12}{'weights':>14}{'run':>14}{'ratio':>8}{'process':>20}"
    print(f"\n{'memory, batch 1: bytes':<26}{columns}")
    print("\n".join(line for _, _, line in results))


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or MODELS)
