"""``qsim.executorch.vendors.tosa``: the reference model on graphs made by hand; its refusals."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import numpy as np
import pytest
import torch
import tosa_serializer as ts

from qsim.errors import FileFormatError, InputError, MissingToolError, ModelError, QsimError
from qsim.executorch import registry
from qsim.executorch.vendors import tosa


def graph(shape: tuple[int, ...] = (2, 3), dtype: Any = ts.DType.INT32) -> bytes:
    """Return a graph that returns a + b and a - b."""
    made = ts.TosaSerializer("", constMode=ts.ConstMode.EMBED)
    for name in ("a", "b"):
        made.addInputTensor(ts.TosaSerializerTensor(name, list(shape), dtype))
    for operator, attribute in ((ts.Op.ADD, "AddAttribute"), (ts.Op.SUB, "SubAttribute")):
        result = made.addOutput(list(shape), dtype)
        attributes = ts.TosaSerializerAttribute()
        getattr(attributes, attribute)()
        made.addOperator(operator, ["a", "b"], [result.name], attributes)
    return bytes(made.serialize())


A = torch.tensor([[1, -2, 3], [2**31 - 2, 5, -6]], dtype=torch.int32)
B = torch.tensor([[10, 20, -30], [1, 0, 6]], dtype=torch.int32)


def test_it_computes_every_output_in_its_order() -> None:
    assert tosa.outputs(graph()) == 2
    total, difference = tosa.model(graph(), [A, B.numpy()], {"output_format": b"tosa"})
    np.testing.assert_array_equal(total, (A + B).numpy())
    np.testing.assert_array_equal(difference, (A - B).numpy())


def test_what_tosa_calls_unpredictable_is_refused() -> None:
    with pytest.raises(ModelError, match=r"tosa_reference_model: .*REQUIRE"):
        tosa.model(graph(), [A, 2 * B], {})


def test_registered_by_one_line() -> None:
    tosa.register()
    try:
        assert registry.model_of(tosa.BACKEND) == (tosa.model, tosa.outputs)
    finally:
        registry.register(tosa.BACKEND, None)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([A], r"TOSABackend: 1 inputs were given \(accepted: 2\)"),
        ([A, B.float()], r"input 1 \(b\): is float32 \[2, 3\] \(accepted: int32 \[2, 3\]\)"),
        ([A[:1], B], r"input 0 \(a\): is int32 \[1, 3\] \(accepted: int32 \[2, 3\]\)"),
    ],
)
def test_inputs_that_do_not_fit(inputs: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tosa.model(graph(), inputs, {})


def test_bytes_that_are_no_graph() -> None:
    with pytest.raises(FileFormatError, match="a TOSA delegate: it does not begin as a file"):
        tosa.outputs(b"")
    with pytest.raises(FileFormatError, match=r"a TOSA delegate: .* is damaged"):
        tosa.outputs(graph()[:80])
    with pytest.raises(FileFormatError, match=r"type INT48 .accepted: BOOL, INT8"):
        tosa.outputs(graph(dtype=ts.DType.INT48))
    with pytest.raises(ModelError, match=r"output_format is b'vela' .accepted: b'tosa'"):
        tosa.model(graph(), [A, B], {"output_format": b"vela"})


def test_a_damaged_graph_never_ends_the_process() -> None:
    whole, rng = graph(), np.random.default_rng(0)
    told = []
    for _ in range(8):
        at = int(rng.integers(len(whole)))
        damaged = whole[:at] + bytes([whole[at] ^ (1 << int(rng.integers(8)))]) + whole[at + 1 :]
        try:
            tosa.model(damaged, [A, B], {})
        except QsimError as error:
            told.append(str(error))
    assert told
    assert not any("\n" in line for line in told)


def test_without_tosa_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    tosa._program.cache_clear()
    monkeypatch.setattr(metadata, "distribution", missing)
    try:
        with pytest.raises(MissingToolError, match=r"not installed .accepted: pip install --no"):
            tosa.register()
    finally:
        tosa._program.cache_clear()
    assert MissingToolError.exit_status == 3
