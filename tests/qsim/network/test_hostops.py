"""Host operators: data in files, and nothing else than functional torch operators."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
import torch
import torch.ao.quantization.fx._decomposed  # registers quantized_decomposed

from qsim.errors import ModelError, QsimError
from qsim.network import hostops
from qsim.network.hostops import encode_torch_step, run_torch_step
from qsim.network.lowered import Lowered
from qsim.network.steps import Step, ValueSpec
from tests.qsim.network import nets as net


def node(name: str) -> torch.fx.Node:
    return torch.fx.Graph().placeholder(name)


def run(target: Any, *args: Any, **kwargs: Any) -> Any:
    """Encode a call with tensors for operands, and run what was encoded."""
    values: dict[str, Any] = {}

    def nodes(item: Any) -> Any:
        if isinstance(item, (list, tuple)) and not isinstance(item, torch.Size):
            return [nodes(element) for element in item]
        if isinstance(item, torch.Tensor) or type(item) is tuple:
            values[f"v{len(values)}"] = item
            return node(f"v{len(values) - 1}")
        return item

    attributes = encode_torch_step(
        target, tuple(nodes(list(args))), {k: nodes(v) for k, v in kwargs.items()}, lambda n: n.name
    )
    return run_torch_step(attributes, values, {})


X = torch.linspace(-3, 3, 24).reshape(2, 3, 4)
ATEN = torch.ops.aten


@pytest.mark.parametrize(
    ("target", "args", "kwargs"),
    [
        (ATEN.softmax.int, (X, -1), {}),
        (ATEN.gelu.default, (X,), {"approximate": "tanh"}),
        (ATEN.cat.default, ([X, X], 1), {}),
        (ATEN.layer_norm.default, (X, [4], None, None, 1e-5), {}),
        (ATEN.masked_fill.Scalar, (X, X > 0, float("-inf")), {}),
        (ATEN.clamp.default, (X, None, 0.5), {}),
        (ATEN.to.dtype, (X, torch.float16), {}),
        (ATEN._to_copy.default, (X,), {"dtype": torch.int32, "device": torch.device("cpu")}),
        (ATEN.clone.default, (X,), {"memory_format": torch.contiguous_format}),
        (ATEN.zeros_like.default, (X,), {"layout": torch.strided, "pin_memory": False}),
        (ATEN.index.Tensor, (X, [None, torch.tensor([0, 2])]), {}),
        (ATEN.mean.dim, (X, [1, 2], True), {}),
        (
            torch.ops.quantized_decomposed.quantize_per_tensor.default,
            (X, 0.1, 3, -128, 127, torch.int8),
            {},
        ),
    ],
    ids=lambda value: str(value) if callable(value) else "",
)
def test_operators_survive_json(target: Any, args: tuple[Any, ...], kwargs: Any) -> None:
    expected = target(*args, **kwargs)
    found = run(target, *args, **kwargs)
    assert found.dtype == expected.dtype
    assert torch.equal(found, expected)


def test_several_results_and_sizes() -> None:
    attributes = encode_torch_step(ATEN.max.dim, (node("x"), 1), {}, lambda n: n.name)
    both = run_torch_step(attributes, {"x": X.numpy()}, {})
    take = encode_torch_step(operator.getitem, (node("m"), 1), {}, lambda n: n.name)
    assert take["operator"] == "getitem"
    assert torch.equal(run_torch_step(take, {"m": both}, {}), X.max(dim=1).indices)
    size = encode_torch_step(ATEN.sym_size.int, (node("x"), 0), {}, lambda n: n.name)
    assert run_torch_step(size, {"x": X.numpy()}, {}) == 2
    twice = encode_torch_step(operator.mul, (node("n"), 12), {}, lambda n: n.name)
    assert run_torch_step(twice, {"n": 2}, {}) == 24
    with pytest.raises(ModelError, match="64 bits"):
        run_torch_step(twice, {"n": 1 << 62}, {})
    with pytest.raises(ModelError, match="takes sizes"):
        run_torch_step(twice, {"n": np.zeros(3)}, {})
    with pytest.raises(ModelError, match="several"):
        run_torch_step(take, {"m": X}, {})


def test_constants_and_callback_objects() -> None:
    attributes = encode_torch_step(
        ATEN.add.Tensor, (node("x"), node("w")), {},
        lambda n: {"constant": "host.w"} if n.name == "w" else {"tensor": "x"},
    )  # fmt: skip
    assert attributes["args"] == [{"tensor": "x"}, {"constant": "host.w"}]
    assert hostops.references(attributes) == ("x",)
    assert hostops.references(attributes, "constant") == ("host.w",)
    y = run_torch_step(attributes, {"x": X.numpy()}, {"host.w": np.float32(2) * np.ones(4, "f4")})
    assert torch.equal(y, X + 2)


HOSTILE = [
    "aten.from_file.default",
    "aten.save.default",
    "aten.warn.default",
    "aten._print.default",
    "aten.relu_.default",
    "aten.add_.Tensor",
    "aten.add.out",
    "aten.empty.memory_format",
    "aten.rand.default",
    "aten._unsafe_index.Tensor",
    "aten._embedding_bag.default",
    "aten.set_.source_Storage",
    "aten.resize_.default",
    "aten.to.other.x",
    "aten.softmax",
    "aten.softmax.nope",
    "aten.nope.default",
    "aten.__class__.default",
    "aten.softmax.__class__",
    "aten.softmax.op",
    "aten.softmax._schema",
    "aten.add.__call__",
    "aten.name.default",
    "aten.item.default.x",
    "prim.device.default",
    "prims.add.default",
    "prim.PythonOp.default",
    "higher_order.cond.default",
    "os.system.default",
    "torch.load.default",
    "builtins.eval.default",
    "image.read_file.default",
    "inductor.resize_storage_bytes_.default",
    "aten softmax int",
    "aten.softmax.int\n",
    "aten..int",
    "__import__.os.system",
    "load_library.x.y",
    "",
    "getitem ",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_refuses_what_is_no_functional_operator(name: str) -> None:
    attributes = {"operator": name, "args": [{"tensor": "x"}], "kwargs": {}}
    step = Step("torch", "bad", ("x",), ("y",), attributes)
    with pytest.raises(ModelError, match="host operator") as caught:
        net.lowered(steps=(step,), outputs=(ValueSpec("y", (-1, 5)),))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ([1, 2], {}),
        ([{"tensor": "x"}, {"file": "/etc/passwd"}], {}),
        ([{"tensor": "x"}, {"dtype": "save"}], {}),
        ([{"tensor": "x"}, {"dtype": "float32", "x": 1}], {}),
        ([{"tensor": "x"}, {"device": "cuda"}], {}),
        ([{"tensor": "x"}, {"layout": "load"}], {}),
        ([{"tensor": "x"}, {"float": "1e5"}], {}),
        ([{"tensor": 3}], {}),
        ([{"tensor": "x"}, {}], {}),
        ([{"tensor": "x"}], {"a b": 1}),
        ({"tensor": "x"}, {}),
        ([{"tensor": "x"}], []),
        ([{"tensor": "x"}, 1 << 40], {}),
        ([{"tensor": "x"}, [-(1 << 32)]], {}),
        ([{"tensor": "x"}, (1 << 63) - 1], {}),
    ],
)
def test_refuses_malformed_arguments(args: Any, kwargs: Any) -> None:
    with pytest.raises(ModelError):
        hostops.check_torch_step({"operator": "aten.softmax.int", "args": args, "kwargs": kwargs})


@pytest.mark.parametrize(
    "target", [torch.load, print, ATEN.relu_.default, ATEN.add.out, "aten.add.Tensor", len]
)
def test_encode_refuses_what_a_file_may_not_hold(target: Any) -> None:
    with pytest.raises(ModelError):
        encode_torch_step(target, (node("x"),), {}, lambda n: n.name)


def test_encode_refuses_objects() -> None:
    for value in (X, object(), torch.Generator(), 1j):
        with pytest.raises(ModelError, match="must be data"):
            encode_torch_step(ATEN.add.Tensor, (node("x"), value), {}, lambda n: n.name)


def step_network(
    attributes: dict[str, Any], inputs: tuple[str, ...] = ("x",), dtype: str = "float32"
) -> Lowered:
    step = Step("torch", "s", inputs, ("y",), attributes)
    return net.lowered(steps=(step,), outputs=(ValueSpec("y", (-1, 2, 6, 6), dtype),))


def test_a_slice_may_have_no_end() -> None:
    y = run(ATEN.slice.Tensor, X, 1, 1, (1 << 63) - 1)
    assert torch.equal(y, X[:, 1:])


def test_inputs_are_what_the_arguments_use() -> None:
    attributes = {"operator": "aten.relu.default", "args": [{"tensor": "z"}], "kwargs": {}}
    with pytest.raises(ModelError, match="values that args use"):
        step_network(attributes)
    attributes = {"operator": "aten.relu.default", "args": [{"constant": "z"}], "kwargs": {}}
    with pytest.raises(ModelError, match="name a constant of the network"):
        step_network(attributes, ())


def test_what_torch_refuses_is_one_line() -> None:
    attributes = {"operator": "aten.softmax.int", "args": [{"tensor": "x"}, 9], "kwargs": {}}
    with pytest.raises(QsimError, match="Dimension out of range") as caught:
        step_network(attributes)(net.reals())
    assert caught.value.where == "host operator aten.softmax.int"
    assert "\n" not in str(caught.value)


def test_a_value_that_is_no_array_is_named() -> None:
    size = {"operator": "aten.sym_size.int", "args": [{"tensor": "x"}, 0], "kwargs": {}}
    with pytest.raises(ModelError, match="must be a tensor"):
        step_network(size)(net.reals())
    half = {
        "operator": "aten.to.dtype", "args": [{"tensor": "x"}, {"dtype": "bfloat16"}], "kwargs": {},
    }  # fmt: skip
    with pytest.raises(ModelError, match="value 'y'"):
        step_network(half, dtype="bfloat16")(net.reals())
    assert (
        step_network(half, dtype="bfloat16")(torch.from_numpy(net.reals())).dtype == torch.bfloat16
    )
