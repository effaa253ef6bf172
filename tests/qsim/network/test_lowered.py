"""Lowered: what it takes and returns, how its steps are checked, integer inputs and outputs."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hw_models.dequantize import dequantize
from hw_models.quantize import quantize
from qsim.errors import InputError, ModelError
from qsim.network.integer_io import integer_boundary
from qsim.network.lowered import Lowered
from qsim.network.steps import HostOperator, Step, ValueSpec
from tests.qsim.network import nets as net
from tests.tree import ROOT


def by_hand(x: np.ndarray) -> np.ndarray:
    (y,) = net.program().run(quantize(x, 0.05, 3))
    return dequantize(y, 0.05, -2)


def test_arrays_in_arrays_out() -> None:
    y = net.lowered()(net.reals())
    assert isinstance(y, np.ndarray)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, by_hand(net.reals()))


def test_tensors_in_tensors_out() -> None:
    x = torch.from_numpy(net.reals()).requires_grad_()
    y = net.lowered()(x)
    assert isinstance(y, torch.Tensor)
    assert not y.requires_grad
    np.testing.assert_array_equal(y.numpy(), by_hand(net.reals()))


@pytest.mark.parametrize("batch", [0, 1, 8])
def test_any_batch(batch: int) -> None:
    for network in (net.lowered(), net.lowered(host=True)):
        y = network(net.reals(batch))
        assert y.shape == (batch, 5)
        singles = [network(net.reals(batch)[i : i + 1]) for i in range(batch)]
        np.testing.assert_array_equal(np.concatenate([y[:0], *singles]), y)


def test_host_operators_run_in_torch() -> None:
    real = torch.from_numpy(by_hand(net.reals()))
    expected = torch.softmax(real, -1) + 2 * torch.arange(5)
    y = net.lowered(host=True)(net.reals())
    assert isinstance(y, np.ndarray)
    np.testing.assert_array_equal(y, expected.numpy())
    z = net.lowered(host=True)(torch.from_numpy(net.reals()))
    assert torch.equal(z, expected)


def test_several_outputs_are_a_tuple_in_order() -> None:
    outputs = (ValueSpec("fc.real", (-1, 5)), ValueSpec("x", (-1, 2, 6, 6)))
    x = net.reals()
    y, same = net.lowered(outputs=outputs)(x)
    np.testing.assert_array_equal(y, by_hand(x))
    np.testing.assert_array_equal(same, x)
    assert not np.shares_memory(same, x)


def test_inputs_are_not_written_to() -> None:
    x = net.reals()
    x.setflags(write=False)
    before = x.copy()
    net.lowered(host=True)(x)
    np.testing.assert_array_equal(x, before)


def test_memory_order_does_not_matter() -> None:
    x = net.reals(4)
    last = torch.from_numpy(x).contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(net.lowered()(last).numpy(), net.lowered()(x))


@pytest.mark.parametrize("host", [False, True])
def test_byte_order_does_not_matter(host: bool) -> None:
    x, lowered = net.reals(4), net.lowered(host=host)
    swapped = x.astype(">f4")
    np.testing.assert_array_equal(lowered(swapped), lowered(x))
    one, other = lowered.trace(swapped), lowered.trace(x)
    for name, array in other.tensors.items():
        assert one.tensors[name].dtype == array.dtype
        assert one.tensors[name].dtype.isnative
        np.testing.assert_array_equal(one.tensors[name], array)


@pytest.mark.parametrize("trace", [None, lambda *_: None])
def test_byte_order_of_codes_and_constants_does_not_matter(trace: Any) -> None:
    constants = {n: a.astype(a.dtype.newbyteorder(">")) for n, a in net.constants().items()}
    codes, swapped = net.codes(), net.program(constants=constants)
    (wanted,), (found,) = net.program().run(codes), swapped.run(codes.astype(">i4"), trace=trace)
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


NAN = net.reals()
NAN[1, 0, 5, 2] = np.nan


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((), "takes 1 inputs, not 0"),
        ((net.reals(), net.reals()), "takes 1 inputs, not 2"),
        ((net.reals().astype(np.float64),), "dtype must be float32, not float64"),
        ((torch.zeros(1, 2, 6, 6, dtype=torch.float16),), "dtype must be float32, not float16"),
        ((torch.zeros(1, 2, 6, 6, device="meta"),), "on the CPU, not meta"),
        ((torch.zeros(1, 2, 6, 6).to_sparse(),), "dense"),
        ((net.reals().astype(">f8"),), "dtype must be float32, not float64"),
        (([[0.0]],), "not list"),
        ((net.reals()[0],), r"shape must be \[N, 2, 6, 6\], not \[2, 6, 6\]"),
        ((net.reals()[:, :, :5],), r"not \[3, 2, 5, 6\]"),
        ((NAN,), r"NaN at index \[1, 0, 5, 2\]"),
        ((torch.from_numpy(NAN),), r"NaN at index \[1, 0, 5, 2\]"),
    ],
)
def test_refuses_inputs(inputs: tuple[Any, ...], message: str) -> None:
    for network in (net.lowered(), net.lowered(host=True)):
        with pytest.raises(InputError, match=message) as caught:
            network(*inputs)
        assert "\n" not in str(caught.value)
        assert caught.value.accepted
        with pytest.raises(InputError, match=message):
            network.trace(*inputs)


def test_refuses_a_mix_of_kinds() -> None:
    inputs = (ValueSpec("x", (-1, 2, 6, 6)), ValueSpec("z", (-1, 2)))
    network = net.lowered(inputs=inputs)
    with pytest.raises(InputError, match="not both"):
        network(net.reals(), torch.zeros(3, 2))
    with pytest.raises(InputError, match="batch size must be that of the first input, not 2"):
        network(net.reals(), np.zeros((2, 2), np.float32))


def test_infinity_saturates() -> None:
    x = net.reals()
    x[0, 0, 0, 0], x[0, 1, 0, 0] = np.inf, -np.inf
    big = x.copy()
    big[0, 0, 0, 0], big[0, 1, 0, 0] = 1e6, -1e6
    np.testing.assert_array_equal(net.lowered()(x), net.lowered()(big))


# --- integer inputs and outputs -----------------------------------------------------------------


def test_quantized_io_is_the_middle_of_the_network() -> None:
    network = net.lowered().quantized_io()
    (source,), (result,) = network.inputs, network.outputs
    assert (source.name, source.dtype, source.scale, source.zero_point) == ("x", "int8", 0.05, 3)
    assert (result.dtype, result.scale, result.zero_point) == ("int8", 0.05, -2)
    assert source.format == result.format == net.INT8
    assert [step.kind for step in network.steps] == ["program"]
    x = net.reals()
    y = network(quantize(x, source.scale, source.zero_point))
    assert y.dtype == np.int8
    np.testing.assert_array_equal(dequantize(y, result.scale, result.zero_point), by_hand(x))
    again = network.quantized_io()
    assert (again.inputs, again.outputs, again.steps) == (
        network.inputs, network.outputs, network.steps
    )  # fmt: skip


def test_quantized_io_takes_integer_tensors() -> None:
    network = net.lowered().quantized_io()
    y = network(torch.from_numpy(net.codes()))
    assert y.dtype == torch.int8
    np.testing.assert_array_equal(y.numpy(), network(net.codes()))
    with pytest.raises(InputError, match="dtype must be int8, not float32"):
        network(net.reals())
    with pytest.raises(InputError, match="dtype must be int8, not int16"):
        network(net.codes().astype(np.int16))


def narrow(bits: int) -> Lowered:
    """The network with an input of few bits in an int8 container."""
    out = {"bits": bits, "signed": True, "narrow": False}
    quantized = Step("quantize", "q", ("x",), ("x.codes",), net.boundary(0.05, 3) | {"output": out})
    return net.lowered(steps=(quantized, *net.steps()[1:]))


def test_codes_out_of_a_narrow_format_are_named() -> None:
    network = narrow(6).quantized_io()
    codes = np.clip(net.codes(), -32, 31)
    assert network(codes).dtype == np.int8
    codes[2, 1, 0, 4] = 32
    with pytest.raises(InputError, match=r"32 at index \[2, 1, 0, 4\]") as caught:
        network(codes)
    assert caught.value.accepted == "-32..31"


def second_quantize(**changes: Any) -> tuple[Step, ...]:
    first, *rest = net.steps()
    other = Step("quantize", "q2", ("x",), ("x.codes2",), net.boundary(0.05, 3) | changes)
    again = Step("program", "again", ("x.codes2",), ("fc2.codes",), {"program": 0})
    last = Step("dequantize", "d2", ("fc2.codes",), ("fc2.real",), net.boundary(0.05, -2))
    return (first, other, *rest, again, last)


def test_quantized_io_joins_equal_quantize_steps() -> None:
    outputs = (ValueSpec("fc.real", (-1, 5)), ValueSpec("fc2.real", (-1, 5)))
    network = net.lowered(steps=second_quantize(), outputs=outputs).quantized_io()
    a, b = network(net.codes())
    np.testing.assert_array_equal(a, b)
    with pytest.raises(ModelError, match="quantized in different ways by q, q2"):
        net.lowered(steps=second_quantize(zero_point=4), outputs=outputs).quantized_io()


def test_quantized_io_keeps_a_dequantize_that_the_host_needs() -> None:
    outputs = (ValueSpec("fc.real", (-1, 5)),)
    network = net.lowered(host=True, outputs=outputs).quantized_io()
    assert [step.kind for step in network.steps] == ["program", "dequantize", "torch", "torch"]
    np.testing.assert_array_equal(network(net.codes()), net.program().run(net.codes())[0])


def test_quantized_io_names_the_host_operator() -> None:
    with pytest.raises(ModelError, match=r"aten.add.Tensor makes it in float \(it is not quant"):
        net.lowered(host=True).quantized_io()
    relu = {"operator": "aten.relu.default", "args": [{"tensor": "x"}], "kwargs": {}}
    first, *rest = net.steps()
    moved = dataclasses.replace(first, inputs=("relu",))
    steps = (Step("torch", "relu", ("x",), ("relu",), relu), moved, *rest)
    operators = (HostOperator("aten.relu.default", "act", "the target has no clamp"),)
    with pytest.raises(ModelError, match=r"aten.relu.default takes it in float \(the target has"):
        net.lowered(steps=steps, host_operators=operators).quantized_io()
    outputs = (ValueSpec("y", (-1, 2)),)
    with pytest.raises(ModelError, match="input 'y': nothing quantizes it: it is returned as it c"):
        net.lowered(inputs=(*net.lowered().inputs, *outputs), outputs=outputs).quantized_io()


def test_quantized_io_returns_the_codes_of_an_input_that_is_an_output() -> None:
    outputs = (ValueSpec("x", (-1, 2, 6, 6)), ValueSpec("fc.real", (-1, 5)))
    network = net.lowered(outputs=outputs).quantized_io()
    assert network.outputs[0] == network.inputs[0]
    same, _ = network(net.codes())
    np.testing.assert_array_equal(same, net.codes())
    kept = integer_boundary(net.lowered(outputs=outputs), outputs_at=())
    same, _ = kept(net.codes())
    np.testing.assert_array_equal(same, dequantize(net.codes(), 0.05, 3))


def test_quantized_io_gives_host_operators_what_the_codes_stand_for() -> None:
    sin = {"operator": "aten.sin.default", "args": [{"tensor": "x"}], "kwargs": {}}
    host = Step("torch", "sin", ("x",), ("sin",), sin)
    again = Step("quantize", "q2", ("sin",), ("sin.codes",), net.boundary(0.05, 3))
    real = Step("dequantize", "d2", ("sin.codes",), ("sin.real",), net.boundary(0.05, 3))
    outputs = (ValueSpec("fc.real", (-1, 5)), ValueSpec("sin.real", (-1, 2, 6, 6)))
    network = net.lowered(steps=(host, *net.steps(), again, real), outputs=outputs).quantized_io()
    _, found = network(net.codes())
    wanted = torch.sin(torch.from_numpy(dequantize(net.codes(), 0.05, 3))).numpy()
    np.testing.assert_array_equal(found, quantize(wanted, 0.05, 3))


# --- what is refused at construction ------------------------------------------------------------


def with_step(index: int, **changes: Any) -> tuple[Step, ...]:
    steps = list(net.steps())
    steps[index] = dataclasses.replace(steps[index], **changes)
    return tuple(steps)


def boundary(**changes: Any) -> dict[str, Any]:
    return net.boundary(0.05, 3) | changes


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "two steps of a name": ({"steps": with_step(2, name="q")}, "two steps are named"),
    "unknown value": ({"steps": with_step(1, inputs=("y",))}, "nothing makes 'y'"),
    "order": ({"steps": net.steps()[::-1]}, "nothing makes 'fc.codes'"),
    "defined twice": ({"steps": with_step(2, outputs=("x",))}, "defined twice"),
    "program index": ({"steps": with_step(1, attributes={"program": 1})}, "must be an index"),
    "program negative": ({"steps": with_step(1, attributes={"program": -1})}, "must be an index"),
    "program bool": ({"steps": with_step(1, attributes={"program": False})}, "must be an index"),
    "program operands": ({"steps": with_step(1, outputs=("a", "b"))}, "takes and makes"),
    "program reads floats": (
        {"steps": (net.steps()[1],), "inputs": (ValueSpec("x.codes", (-1, 2, 6, 6)),)},
        "must hold codes",
    ),
    "format too wide": (
        {"steps": with_step(0, attributes=boundary(output=net.OUT | {"bits": 9}))},
        "must hold codes",
    ),
    "dequantize of floats": ({"steps": with_step(2, inputs=("x",))}, "takes codes of its format"),
    "quantize of codes": (
        {"steps": (*net.steps(), Step("quantize", "r", ("x.codes",), ("r",), boundary()))},
        "takes float values",
    ),
    "scale": ({"steps": with_step(0, attributes=boundary(scale=0.0))}, "scale must be"),
    "zero point": ({"steps": with_step(0, attributes=boundary(zero_point=128))}, "must be a code"),
    "formula": ({"steps": with_step(0, attributes=boundary(formula="exec"))}, "formula must be"),
    "extra key": ({"steps": with_step(0, attributes=boundary(x=1))}, "object with its keys"),
    "unknown output": ({"outputs": (ValueSpec("y", (-1, 5)),)}, "nothing makes the output"),
    "no output": ({"outputs": ()}, "must have an output"),
    "input twice": ({"inputs": (ValueSpec("x", (-1, 2, 6, 6)),) * 2}, "defined twice"),
    "programs of one name": ({"programs": (net.program(), net.program())}, "one name"),
    "constant": ({"constants": {"c": np.array(["a"])}}, "constant 'c' must be an array"),
    "model": ({"model": "a\n"}, "printable"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(case: str) -> None:
    changes, message = REFUSED[case]
    with pytest.raises(ModelError, match=message) as caught:
        net.lowered(**changes)
    assert "\n" not in str(caught.value)


def test_refuses_an_unknown_kind_of_step() -> None:
    kind: Any = "exec"
    with pytest.raises(ModelError, match="kind must be one of its names"):
        Step(kind, "s", ("x",), ("y",), {})
    for dtype in ("object", "S3"):
        with pytest.raises(ModelError, match="dtype must be one of its names"):
            ValueSpec("x", (-1, 3), dtype)


def test_repr_and_host_operators_read_well() -> None:
    network = net.lowered(host=True)
    assert repr(network) == ("Lowered(small: 1 programs, 9 calls, 2 host operators, target tflite)")
    assert dict(network.host_operators[0]) == {
        "operator": "aten.softmax.int",
        "layer": "softmax",
        "reason": "no primitive computes it",
        "kind": "",
        "lacks": "",
    }


def test_runs_where_torch_is_not_installed(tmp_path: Path) -> None:
    network = net.lowered()
    network.save(tmp_path / "small.qsim")
    net.lowered(host=True).save(tmp_path / "host.qsim")
    np.save(tmp_path / "x.npy", net.reals())
    code = """
import sys
sys.modules["torch"] = None
import numpy as np
import qsim
network = qsim.load("small.qsim")
x = np.load("x.npy")
np.save("y.npy", network(x))
network.trace(x).plot("trace.png")
network.quantized_io()(np.zeros((2, 2, 6, 6), np.int8))
try:
    qsim.load("host.qsim")
except qsim.MissingToolError as error:
    print(error)
"""
    # Compiled kernels are found where the other tests leave them.
    kept = {name: os.environ[name] for name in ("HOME", "XDG_CACHE_HOME") if name in os.environ}
    environment = kept | {"PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "torch" in done.stdout
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), network(net.reals()))
