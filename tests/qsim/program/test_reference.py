"""The network-level oracle: every tensor and ledger of a run equals the definitions'."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

import hw_models as hw
from hw_models.dequantize import reference as dequantize_one
from hw_models.quantize import reference as quantize_one
from qsim import Target, lower, quantize
from qsim.network.lowered import Lowered
from qsim.network.steps import Step
from qsim.network.trace import Trace
from qsim.program.attributes import format_to_json
from qsim.program.calls import TensorSpec
from qsim.program.primitives import PRIMITIVES
from qsim.program.program import Call, Program
from tests.qsim.lowering.models import NETWORKS, build, examples
from tests.qsim.models.architectures import MODELS
from tests.qsim.models.architectures import example as example_of
from tests.qsim.program.reading import host_value
from tests.qsim.program.reference import DEFINITIONS, interpret

TARGETS = ("tflite", "tflite-single", "onnxruntime", "pytorch", "q7", "narrow20")
ACCUMULATORS = ("correlation", "linear", "matmul", "bias_add")
CLAMPING = ("requantize", "add", "clamp")


def small(name: str, batch: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Inputs of a network, wider than its calibration so that quantize saturates."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(3, 4, 22)] if name == "ConvNet" else [tuple(x.shape[1:]) for x in examples(name)]
    return tuple(2.5 * torch.randn(batch, *shape, generator=generator) for shape in shapes)


@cache
def network(name: str, target: str) -> Lowered:
    calibration = [small(name, 4, seed=1)]
    loaded = Target.load(target)
    return lower(quantize(build(name), small(name, 2), loaded, calibration=calibration), loaded)


def check_run(lowered: Lowered, trace: Trace) -> int:
    """Compare every quantize, dequantize and program step of a run; return how many tensors."""
    entries = iter(trace.ledger)
    compared = 0
    for step in lowered.steps:
        if step.kind == "torch":
            continue
        inputs = [host_value(trace, name) for name in step.inputs]
        if step.kind == "program":
            compared += check_program(lowered, step, inputs, trace, entries)
        else:
            check_boundary(step, inputs[0], host_value(trace, step.outputs[0]))
    assert next(entries, None) is None
    return compared


def check_boundary(step: Step, source: np.ndarray, result: np.ndarray) -> None:
    attributes: Any = step.attributes
    scale, zero_point = attributes["scale"], attributes["zero_point"]
    assert result.shape == source.shape
    if step.kind == "quantize":
        output = hw.FixedFormat(**attributes["output"])
        wanted = [
            quantize_one(float(v), scale, zero_point, output, attributes["formula"])
            for v in source.ravel()
        ]
    else:
        wanted = [dequantize_one(int(v), scale, zero_point) for v in source.ravel()]
    assert result.ravel().tolist() == wanted, step.name


def check_program(
    lowered: Lowered, step: Step, inputs: list[np.ndarray], trace: Trace, entries: Any
) -> int:
    program = lowered.programs[int(str(step.attributes["program"]))]
    tensors, books = interpret(program, inputs)
    for call in program.calls:
        entry = next(entries)
        assert entry.call == call.name
        found, wanted = trace.tensors[entry.tensor], tensors[call.output]
        assert found.dtype == program.tensors[call.output].format.dtype, call.name
        assert np.array_equal(found, wanted), call.name
        book, ledger = books[call.name][1], entry.ledger
        if call.primitive in ACCUMULATORS:
            assert (ledger.minimum, ledger.maximum) == book.extremes, call.name
            assert ledger.bits_used == book.bits_used, call.name
        assert ledger.registers == book.registers, call.name
        if call.primitive in ACCUMULATORS + CLAMPING:
            assert ledger.elements == book.elements == found.size, call.name
            assert (ledger.clamped, ledger.first) == (book.clamped, book.first), call.name
    for name, inner in zip(step.outputs, program.outputs, strict=True):
        assert np.array_equal(host_value(trace, name), tensors[inner])
    return len(program.calls)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", list(NETWORKS))
def test_every_tensor_and_ledger_equals_the_definition(name: str, target: str) -> None:
    lowered = network(name, target)
    for batch in (1, 3):
        assert check_run(lowered, lowered.trace(*small(name, batch, seed=batch))) > 0


@pytest.mark.parametrize("target", ["tflite", "q7"])
@pytest.mark.parametrize("name", ["Pools", "Clamps", "Shapes", "Bmm", "Bottleneck", "Audio"])
def test_whole_architectures_equal_the_definition(name: str, target: str) -> None:
    loaded = Target.load(target)
    lowered = lower(
        quantize(MODELS[name](), example_of(name, 2), loaded, calibration=[example_of(name, 8)])
    )
    assert check_run(lowered, lowered.trace(*example_of(name, 2, scale=1.5))) > 0


@pytest.mark.parametrize("codes", [hw.FixedFormat(4), hw.FixedFormat(9, signed=False)])
def test_a_lookup_equals_the_definition(codes: hw.FixedFormat) -> None:
    rng = np.random.default_rng(codes.bits)
    output = hw.FixedFormat(12)
    table = rng.integers(output.min, output.max + 1, 1 << codes.bits).astype(np.int16)
    attributes = {"table": {"constant": "t"}, "output": format_to_json(output)}
    tensors = {"x": TensorSpec("x", (-1, 5), codes), "y": TensorSpec("y", (-1, 5), output)}
    call = Call("sigmoid", "", "lookup", ("x",), "y", attributes)
    program = Program("p", ("x",), ("y",), tensors, {"t": table}, (call,))
    x = rng.integers(codes.min, codes.max + 1, (40, 5)).astype(codes.dtype)
    (y,) = program.run(x)
    assert y.dtype == np.int16
    np.testing.assert_array_equal(y, interpret(program, [x])[0]["y"])


def test_the_interpreter_knows_every_primitive() -> None:
    assert set(DEFINITIONS) == set(PRIMITIVES)


def narrow(bits: int, overflow: str, at: str, order: str = "channel_first") -> Target:
    """narrow20 with another accumulator."""
    document = Target.load("narrow20").to_dict()
    document["name"] = f"narrow{bits}"
    document["correlation"] |= {"bits": bits, "overflow": overflow, "at": at, "order": order}
    # The adder is as narrow, so that both registers overflow.
    document["sum"] |= {"bits": bits, "overflow": overflow}
    return Target.from_dict(document)


RULES = (
    ("saturate", "mac", "channel_first"),
    ("saturate", "mac", "channel_last"),
    ("saturate", "sum", "channel_first"),
    ("wrap", "sum", "channel_first"),
    ("wrap", "mac", "channel_last"),
    ("saturate_symmetric", "mac", "channel_first"),
)


@pytest.mark.parametrize(("overflow", "at", "order"), RULES)
@pytest.mark.parametrize("name", ["Sequence", "Products"])
def test_twelve_bits_overflow_and_the_ledger_is_exact(
    name: str, overflow: str, at: str, order: str
) -> None:
    target = narrow(12, overflow, at, order)
    lowered = lower(quantize(build(name), small(name, 2), target, calibration=[small(name, 4)]))
    trace = lowered.trace(*small(name, 2, seed=9))
    check_run(lowered, trace)
    assert sum(entry.ledger.overflows for entry in trace.ledger) > 0
    used = [e.ledger.bits_used for e in trace.ledger if e.primitive in ACCUMULATORS]
    assert max(used) > 12


def test_overflow_counts_from_the_stored_integers_alone() -> None:
    """Counts, first index and width of a 12-bit convolution by cumulative sums in NumPy."""
    target = narrow(12, "saturate", "mac")
    x = small("Residual", 3, seed=4)
    lowered = lower(quantize(build("Residual"), x, target))
    trace = lowered.trace(*x)
    (program,) = lowered.programs
    call = program.calls[0]
    entry = trace.ledger[0]
    codes = trace.tensors[program.inputs[0]].astype(np.int64)
    weight = program.constants[call.inputs[1]].astype(np.int64)
    padded = np.pad(codes, ((0, 0), (0, 0), (1, 1), (1, 1)))  # narrow20 pads with the code 0
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    # [N, H, W, O, C, 3, 3]: products in the order of the target.
    products = windows.transpose(0, 2, 3, 1, 4, 5)[:, :, :, None] * weight[None, None, None]
    flat = products.reshape(*products.shape[:4], -1)
    exact = np.cumsum(flat, axis=-1)
    register = np.zeros(flat.shape[:-1], np.int64)
    touched = np.zeros(flat.shape[:-1], bool)
    for step in range(flat.shape[-1]):
        register += flat[..., step]
        touched |= (register > 2047) | (register < -2048)
        register = np.clip(register, -2048, 2047)
    order = (0, 3, 1, 2)
    assert np.array_equal(trace.tensors[entry.tensor], register.transpose(order))
    assert entry.ledger.overflows == int(touched.sum()) > 0
    assert entry.ledger.first == tuple(int(i) for i in np.argwhere(touched.transpose(order))[0])
    assert (entry.ledger.minimum, entry.ledger.maximum) == (int(exact.min()), int(exact.max()))
    top = max(int(exact.max()), -int(exact.min()) - 1)
    assert entry.ledger.bits_used == top.bit_length() + 1


class Mixture(torch.nn.Module):
    """What the older targets leave to the host."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        product = y * torch.sigmoid(y.mean((2, 3), keepdim=True))
        chosen = torch.minimum(torch.maximum(product, y - product), y)
        joined = torch.nn.functional.pad(torch.cat([chosen, product], 1), (1, 0, 0, 1))
        return joined.mean((1, 2))


def test_pairs_joins_and_means_equal_their_definitions() -> None:
    torch.manual_seed(0)
    target, x = Target.load("litert-reference"), torch.randn(2, 2, 5, 5)
    lowered = lower(quantize(Mixture().eval(), (x,), target, calibration=[(x,)]), target)
    trace, (program,) = lowered.trace(x), lowered.programs

    made, _ = interpret(program, [trace.tensors[name] for name in program.inputs])

    wanted = {"mul", "sub", "maximum", "minimum", "concat", "pad", "mean", "lookup"}
    assert wanted <= {call.primitive for call in program.calls}
    assert all(np.array_equal(value, trace.tensors[name]) for name, value in made.items())
