"""Models as users bring them: what runs where, and that the integers are the network's.

Each architecture is quantized and lowered for several targets. What stays on the host is listed
exactly: a supported operator that is left there, or a reason that is not true, fails.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

import qsim
from qsim import Target
from qsim.errors import ModelError, QsimError
from qsim.graph import capture
from qsim.network import hostcall
from qsim.network.lowered import Lowered
from qsim.quantizer import Quantized
from tests.qsim.models.architectures import MODELS, example
from tests.qsim.program.reading import host

# Which primitives that an architecture here needs are not there, by target.
LACKS: dict[str, set[str]] = {
    "tflite": {"layer_norm", "embedding"},
    "q7": {"softmax", "resize", "layer_norm", "embedding"},
    "onnxruntime": {"resize", "layer_norm", "embedding"},
    "narrow20": {"softmax", "resize", "layer_norm", "embedding"},
    "litert-reference": {"layer_norm", "embedding"},
    "deeploy-like": {
        *("transposed_correlation", "mul", "concat", "pad", "mean"),
        *("lookup", "softmax", "resize", "layer_norm", "embedding"),
    },
}
POOREST = "deeploy-like"
FIXED_BATCH = {"Static"}
NONE = "no primitive computes it"
# What stays in torch on every target, as often as it does, with the reason.
HOST: dict[str, dict[tuple[str, str], int]] = {
    "Plain": {},
    "Basic": {},
    "Bottleneck": {},
    "InvertedResidual": {},
    "Fire": {},
    "UNet": {},
    "UNetTransposed": {},
    "Mlp": {},
    "Audio": {},
    "Temporal": {},
    "Encoder": {},
    "Bmm": {},
    "SqueezeExcite": {},
    "Smooth": {},
    "Shared": {},
    "Uses": {},
    "Pools": {},
    "UnevenPools": {},
    "Outputs": {},
    "Embedding": {},
    "InPlace": {},
    "Shapes": {},
    "Slices": {},
    "Static": {},
    "Double": {
        ("linear.default", "it reads float64; the primitives take activations in float32"): 1,
        ("relu.default", "it computes float64; the primitives replace float32"): 1,
    },
    "Clamps": {},
    "Unused": {},
    "Reflect": {},
    "Normalised": {},
}
# What else a target needs beside correlation, add and pools: which primitive, and how often.
NEEDS: dict[str, dict[tuple[str, str], int]] = {
    "Fire": {("cat.default", "concat"): 1},
    "UNet": {("cat.default", "concat"): 1},
    "UNetTransposed": {("conv_transpose2d.input", "transposed_correlation"): 1},
    "Temporal": {("pad.default", "pad"): 1},
    "Encoder": {
        ("mul.Tensor", "mul"): 1,
        ("softmax.int", "softmax"): 1,
        ("gelu.default", "lookup"): 1,
        ("layer_norm.default", "layer_norm"): 2,
    },
    "SqueezeExcite": {("sigmoid.default", "lookup"): 1, ("mul.Tensor", "mul"): 1},
    "Smooth": {
        (f"{name}.default", "lookup"): 1 for name in ("gelu", "silu", "hardswish", "hardsigmoid")
    },
    "Uses": {("mul.Tensor", "mul"): 1},
    "Embedding": {("embedding.default", "embedding"): 1, ("mean.dim", "mean"): 1},
    "InPlace": {("mul.Tensor", "mul"): 1},
    "Slices": {("cat.default", "concat"): 1},
    "Reflect": {("leaky_relu.default", "lookup"): 1},
    "Normalised": {("mul.Tensor", "mul"): 2},
}
# Every architecture on tflite, on one of the others in turn (half of these under ``pytest -m
# soak``), and on the poorest where it lacks something.
IN_TURN = ("q7", "onnxruntime", "narrow20", "litert-reference")
LATE = {(name, IN_TURN[k % 4]) for k, name in enumerate(HOST) if k % 8 in (2, 3, 4, 5)}
PAIRS = [
    pytest.param(*pair, marks=[pytest.mark.soak] if pair in LATE else [])
    for pair in (
        *((name, to) for k, name in enumerate(HOST) for to in ("tflite", IN_TURN[k % 4])),
        *((name, POOREST) for name in NEEDS),
    )
]
# Networks whose inputs and outputs are codes where the caller wants them so.
INTEGER_IO = {
    *("Plain", "Basic", "Bottleneck", "InvertedResidual", "Fire", "UNet", "UNetTransposed"),
    *("Mlp", "Audio", "Bmm", "SqueezeExcite", "Shared", "Uses", "Pools", "UnevenPools", "Shapes"),
    *("Static", "Clamps", "Temporal", "Smooth", "Embedding", "InPlace", "Slices", "Reflect"),
    *("Normalised", "Outputs"),
}


@cache
def captured(name: str) -> ExportedProgram:
    module = MODELS[name]()
    program = capture(module, example(name, 2)).program
    assert all(part.training for part in module.modules())
    return program


@cache
def quantized(name: str, target: str) -> Quantized:
    count = 2 if name in FIXED_BATCH else 8
    return qsim.quantize(
        captured(name), example(name, 2), Target.load(target), calibration=[example(name, count)]
    )


@cache
def lowered(name: str, target: str) -> Lowered:
    return qsim.lower(quantized(name, target))


def leaves(value: Any) -> list[Tensor]:
    found = pytree.tree_leaves(value)
    assert all(isinstance(item, Tensor) for item in found)
    return found


def inputs_of(name: str) -> tuple[Tensor, ...]:
    return example(name, 2 if name in FIXED_BATCH else 8)


def counted(network: Lowered) -> Counter[tuple[str, str]]:
    return Counter(
        (item.operator.removeprefix("aten."), item.reason) for item in network.host_operators
    )


def lacks(target: str, primitive: str) -> str:
    return f"target {target} has no {primitive}"


def test_every_architecture_is_listed() -> None:
    assert set(HOST) | {"Attention", "Merged"} == set(MODELS)


@pytest.mark.parametrize(("name", "target"), PAIRS)
def test_an_architecture_runs_on_a_target(name: str, target: str) -> None:
    network, x = lowered(name, target), inputs_of(name)
    y = network(*x)
    model = MODELS[name]().eval()
    with torch.no_grad():
        wanted = model(*(i.clone() for i in x))
    assert pytree.tree_structure(y) == pytree.tree_structure(wanted)
    for found, real, graph in zip(
        leaves(y), leaves(wanted), leaves(quantized(name, target)(*x)), strict=True
    ):
        assert (found.shape, found.dtype) == (real.shape, real.dtype)
        # Far from zero tolerance on purpose: that test is test_program_reference.py.
        top = float(real.abs().max())
        assert float((found - graph).abs().max()) <= 0.1 * top
        assert float((found - real).abs().max()) <= 0.1 * top
    for found, traced in zip(leaves(y), network.trace(*x).outputs, strict=True):
        assert np.array_equal(found.numpy(), traced)


@pytest.mark.parametrize(
    ("name", "target"), [pair for pair in PAIRS if pair.values[0] not in FIXED_BATCH]
)
def test_a_row_is_the_same_alone_and_in_a_batch(
    name: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every tensor of a run, given what torch makes of the host operators.

    torch may add float products in an order that depends on the batch and on the processor. So a
    row alone gets, from each host operator, its row of what that made for the batch.
    """
    network, x = lowered(name, target), inputs_of(name)
    made: dict[int, Any] = {}
    run = hostcall.HostCall.__call__

    def keep(call: hostcall.HostCall, values: Any) -> Any:
        made[id(call)] = run(call, values)
        return made[id(call)]

    monkeypatch.setattr(hostcall.HostCall, "__call__", keep)
    whole = network.trace(*x)
    assert len(made) == sum(step.kind == "torch" for step in network.steps)
    for k in range(8):

        def hand_out(call: hostcall.HostCall, values: Any, k: int = k) -> Any:
            own, batch = run(call, values), made[id(call)]
            return batch[k : k + 1] if is_row(own, batch) else own

        monkeypatch.setattr(hostcall.HostCall, "__call__", hand_out)
        alone = [i[k : k + 1] for i in x]
        row, called = network.trace(*alone), leaves(network(*alone))
        assert row.tensors.keys() == whole.tensors.keys()
        for entry in whole.ledger:
            assert is_row(row.tensors[entry.tensor], whole.tensors[entry.tensor])
        for key, found in row.tensors.items():
            if is_row(found, whole.tensors[key]):  # else the batch is not in front
                assert np.array_equal(found, whole.tensors[key][k : k + 1]), (key, k)
        for found, output, batch in zip(row.outputs, called, whole.outputs, strict=True):
            assert np.array_equal(found, batch[k : k + 1])
            assert np.array_equal(output.numpy(), found)


def is_row(one: Any, batch: Any) -> bool:
    """Whether one array or tensor has the shape of a row of the other, which has 8."""
    shapes = [getattr(value, "shape", ()) for value in (one, batch)]
    return shapes[0][:1] == (1,) and shapes[1] == (8, *shapes[0][1:])


@pytest.mark.parametrize("target", ["tflite", "q7"])
def test_a_network_of_host_operators_alone_is_torch_itself(target: str) -> None:
    network, (x,), model = lowered("Double", target), inputs_of("Double"), MODELS["Double"]().eval()
    assert {step.kind for step in network.steps} == {"torch"}
    with torch.no_grad():
        for part in (x, *x.split(1)):
            assert torch.equal(network(part), model(part))


@pytest.mark.parametrize(("name", "target"), PAIRS)
def test_exactly_what_has_no_primitive_stays_on_the_host(name: str, target: str) -> None:
    network = lowered(name, target)
    lacking = {
        (operator, lacks(target, primitive)): count
        for (operator, primitive), count in NEEDS.get(name, {}).items()
        if primitive in LACKS[target]
    }
    assert counted(network) == HOST[name] | lacking
    layers = {path for path, _ in MODELS[name]().named_modules()}
    assert {item.layer for item in network.host_operators} <= layers


@pytest.mark.parametrize("name", list(HOST))
def test_a_file_gives_the_same_integers(name: str, tmp_path: Path) -> None:
    network, x = lowered(name, "tflite"), inputs_of(name)
    network.save(tmp_path / "net.qsim")
    loaded = qsim.load(tmp_path / "net.qsim")
    y, again = network(*x), loaded(*x)
    assert pytree.tree_structure(again) == pytree.tree_structure(y)
    assert all(torch.equal(a, b) for a, b in zip(leaves(y), leaves(again), strict=True))
    assert loaded.host_operators == network.host_operators


def test_a_fresh_process_gives_the_same_integers(tmp_path: Path) -> None:
    pairs = ("Encoder", "q7"), ("Outputs", "tflite")
    for name, target in pairs:
        (tmp_path / name).mkdir()
        lowered(name, target).save(tmp_path / name / "net.qsim")
        for index, value in enumerate(inputs_of(name)):
            np.save(tmp_path / name / f"x{index}.npy", value.numpy())
    code = (
        "import sys, numpy as np, qsim\n"
        "for folder in sys.argv[1:]:\n"
        "    net = qsim.load(folder + '/net.qsim')\n"
        "    xs = [np.load(f'{folder}/x{i}.npy') for i in range(len(net.inputs))]\n"
        "    ys = net(*xs)\n"
        "    ys = ys if isinstance(ys, (tuple, list)) else [ys]\n"
        "    for i, y in enumerate(ys): np.save(f'{folder}/y{i}.npy', y)\n"
    )
    folders = [str(tmp_path / name) for name, _ in pairs]
    subprocess.run([sys.executable, "-c", code, *folders], check=True, timeout=120)
    for name, target in pairs:
        for index, value in enumerate(leaves(lowered(name, target)(*inputs_of(name)))):
            assert np.array_equal(np.load(tmp_path / name / f"y{index}.npy"), value.numpy())


@pytest.mark.parametrize("name", sorted(HOST))
def test_integer_boundaries(name: str) -> None:
    network, x = lowered(name, "tflite"), inputs_of(name)
    if name not in INTEGER_IO:
        with pytest.raises(ModelError, match=r"^(in|out)put '\w+': "):
            network.quantized_io()
        return
    integer = network.quantized_io()
    first = {step.inputs[0]: step.outputs[0] for step in network.steps if step.kind == "quantize"}
    trace = network.trace(*x)
    codes = [trace.tensors[first.get(spec.name, spec.name)] for spec in network.inputs]
    assert [str(c.dtype) for c in codes] == [spec.dtype for spec in integer.inputs]
    # What is returned as it came is returned as codes.
    given = {spec.name: code for spec, code in zip(integer.inputs, codes, strict=True)}
    for found, spec, real in zip(
        pytree.tree_leaves(integer(*codes)), integer.outputs, trace.outputs, strict=True
    ):
        assert str(found.dtype) == spec.dtype
        if spec.name in given:
            assert np.array_equal(found, given[spec.name])
        elif spec.scale is not None:
            value = (found.astype(np.float32) - np.float32(spec.zero_point)) * np.float32(
                spec.scale
            )
            assert np.array_equal(value, real)


# --- the batch in other places ----------------------------------------------------------------


def test_a_batch_merged_with_time_stays_apart() -> None:
    network, x = lowered("Merged", "tflite"), inputs_of("Merged")
    assert host(network) == {}
    assert host(lowered("Merged", POOREST)) == {"mean.dim": lacks(POOREST, "mean")}
    scale = network.programs[0].tensors[network.programs[0].outputs[0]].scale or 0.0
    off = network(*x) - quantized("Merged", "tflite")(*x)
    assert float(off.abs().max()) <= 1.01 * scale
    assert torch.equal(network(*x)[:1], network(*(each[:1] for each in x)))


def test_attention_serves_every_batch_although_its_fast_path_is_not_exported() -> None:
    graph = quantized("Attention", "tflite")
    assert graph.batch
    network, x = lowered("Attention", "tflite"), inputs_of("Attention")
    assert "aten.sym_size.int" not in {item.operator for item in network.host_operators}
    assert network(*x).shape == (8, 5, 8)
    assert torch.equal(network(*x)[:1], network(x[0][:1]))


def test_an_example_is_not_marked_by_a_failed_export() -> None:
    """A batch that the model insists on is exported as a number, at the second attempt too."""
    x = example("Static", 2)
    graph = qsim.quantize(MODELS["Static"](), x, Target.load("tflite"))
    assert not graph.batch
    assert all(
        isinstance(size, int)
        for node in graph.float_graph.graph.nodes
        if "val" in node.meta
        for size in getattr(node.meta["val"], "shape", ())
    )
    with pytest.raises(QsimError, match="shape"):
        graph(torch.zeros(3, 6))


def test_reasons_survive_a_pt2_file(tmp_path: Path) -> None:
    from qsim.quantizer.pt2 import load_pt2

    graph = quantized("Uses", "tflite")
    graph.save_pt2(tmp_path / "uses.pt2")
    loaded = load_pt2(tmp_path / "uses.pt2")
    assert isinstance(loaded, Quantized)
    assert qsim.lower(loaded).host_operators == lowered("Uses", "tflite").host_operators
