"""Tensors of float32 values in a Program: run, traced, planned, kept in files, compared by bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import qsim
from hw_models import FLOAT32, FixedFormat
from qsim.errors import InputError, ModelError
from qsim.golden import check, record
from qsim.mismatch import compare
from qsim.network import load
from qsim.network.lowered import Lowered
from qsim.network.steps import Step, ValueSpec
from qsim.network.store import save
from qsim.program import Call, Program, TensorSpec

if TYPE_CHECKING:
    from pathlib import Path

_SLICE = {"starts": [0, 2, 0], "steps": [1, -1, 1], "sizes": [-1, 2, 2]}


def moves(*, memory: tuple[int, ...] = (-1, 3, 2)) -> Program:
    """Return a Program that turns, reads backwards and flattens float32 values."""
    specs = {
        "x": (-1, 2, 3),
        "turned": memory,
        "read": (-1, 2, 2),
        "picked": (-1, 2, 3),
        "y": (-1, 6),
    }
    return Program(
        "moves",
        ("x",),
        ("y",),
        {name: TensorSpec(name, shape, FLOAT32) for name, shape in specs.items()},
        {"places": np.array([1, 0, 1])},
        (
            Call("a", "", "permute", ("x",), "turned", {"dims": [0, 2, 1]}),
            Call("b", "", "strided_slice", ("turned",), "read", _SLICE),
            Call("c", "", "gather", ("read", "places"), "picked", {"axis": 2}),
            Call("d", "", "reshape", ("picked",), "y", {"shape": [-1, 6]}),
        ),
    )


def values(batch: int = 2) -> np.ndarray:
    """Return numbers of every kind: none may change on its way."""
    odd = np.array([np.nan, np.inf, -0.0, 1e-45, -3.4e38, 1 / 3], np.float32)
    return np.resize(odd, (batch, 2, 3))


def expected(x: np.ndarray) -> np.ndarray:
    return x.transpose(0, 2, 1)[:, [2, 1]][:, :, [1, 0, 1]].reshape(len(x), 6)


def bits(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x).view(np.int32)


def network() -> Lowered:
    step = Step("program", "call", ("x",), ("y",), {"program": 0})
    given, made = (ValueSpec(name, shape) for name, shape in (("x", (-1, 2, 3)), ("y", (-1, 6))))
    return Lowered(qsim.Target.load("tflite"), [given], [made], [step], [moves()], model="moves")


@pytest.mark.parametrize("batch", [0, 1, 3])
def test_stream_and_interpreter_move_every_bit(batch: int) -> None:
    x, ends = values(batch), []
    (plain,) = moves().run(x)
    (traced,) = moves().run(x, trace=lambda call, made, ledger: ends.append(ledger.maximum))
    assert plain.dtype == traced.dtype == np.float32
    assert np.array_equal(bits(plain), bits(expected(x)))
    assert np.array_equal(bits(traced), bits(plain))
    assert all(isinstance(end, float) for end in ends)


def test_the_plan_has_four_bytes_for_each_value() -> None:
    plan = moves().allocate().plan
    assert plan.size >= 4 * 6


def test_a_file_and_a_golden_set_keep_them(tmp_path: Path) -> None:
    net, x = network(), np.abs(values()[:, :, ::-1].copy())
    x[np.isnan(x)] = 7  # the boundary of a network takes no NaN
    save(net, tmp_path / "net.qsim")
    again = load(tmp_path / "net.qsim")
    assert again.digest == net.digest
    assert np.array_equal(bits(again(x)), bits(net(x)))
    record(net, x, tmp_path / "golden")
    assert check(tmp_path / "golden").ok
    trace = net.trace(x)
    assert {spec.format for spec in trace.specs.values()} == {FLOAT32}
    trace.plot(tmp_path / "trace.png")


def test_a_difference_is_told_in_neighbours() -> None:
    right = np.array([1.0, -0.0, 2.0], np.float32)
    wrong = right.copy()
    wrong[1] = 0.0
    wrong[2] = np.nextafter(np.float32(2), np.float32(3))
    assert compare(right, right.copy()) is None
    found = compare(right, wrong)
    assert found is not None
    assert (found.index, found.expected, found.actual, found.count) == ((1,), -0.0, 0.0, 2)
    assert found.unit == "ULP"
    assert found.to_dict()["expected_hex"] == "0x80000000"
    assert "actual - expected, in ULP:" in str(found)
    nan = np.array([np.nan], np.float32)
    assert compare(nan, nan.copy()) is None
    lost = compare(nan, np.zeros(1, np.float32))
    assert lost is not None
    assert lost.to_dict()["expected"] == "nan"


def test_what_takes_codes_refuses_floats() -> None:
    specs = {name: TensorSpec(name, (-1, 4), FLOAT32) for name in ("x", "y")}
    call = Call("a", "", "clamp", ("x",), "y", {"lo": 0, "hi": 1})
    with pytest.raises(ModelError, match="x must hold codes, not 'x of float32'"):
        Program("p", ("x",), ("y",), specs, {}, (call,))


def test_a_moved_float_stays_a_float() -> None:
    specs = {"x": TensorSpec("x", (-1, 4), FLOAT32), "y": TensorSpec("y", (-1, 4), FixedFormat(8))}
    call = Call("a", "", "reshape", ("x",), "y", {"shape": [-1, 4]})
    with pytest.raises(ModelError, match="must have the format made"):
        Program("p", ("x",), ("y",), specs, {}, (call,))


def test_a_float_has_no_scale() -> None:
    with pytest.raises(ModelError, match="no scale and no zero point"):
        TensorSpec("x", (1,), FLOAT32, scale=0.5)


@pytest.mark.parametrize("kind", [np.int8, np.float64])
def test_another_dtype_is_refused(kind: type) -> None:
    with pytest.raises(InputError, match="dtype must be float32"):
        moves().run(np.zeros((1, 2, 3), kind))
