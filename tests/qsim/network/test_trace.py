"""A Trace holds every tensor and ledger of a run, and draws itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hw_models as hw
from qsim.errors import UsageError
from qsim.network.plot import histogram, panels
from tests.qsim.network import nets as net


def test_every_tensor_is_there() -> None:
    network, x = net.lowered(host=True), net.reals()
    trace = network.trace(x)
    for name, spec in net.tensors().items():
        array = trace.tensors[name]
        assert array.shape == (3, *spec.shape[1:])
        assert array.dtype == spec.format.dtype
        assert array.flags.c_contiguous
        assert trace.specs[name] == spec
    np.testing.assert_array_equal(trace.tensors["x.value"], x)
    np.testing.assert_array_equal(trace.tensors["x"], trace.tensors["x.codes"])
    np.testing.assert_array_equal(trace["shifted"], network(x))
    np.testing.assert_array_equal(trace.outputs[0], network(x))
    assert len(trace.outputs) == 1
    assert trace.batch == 3


def test_the_ledger_has_an_entry_per_call_in_order() -> None:
    trace = net.lowered().trace(net.reals())
    assert [entry.call for entry in trace.ledger] == [call.name for call in net.calls()]
    first = trace.ledger[0]
    assert (first.layer, first.primitive, first.shape) == ("conv", "correlation", (3, 4, 6, 6))
    assert first.macs == 4 * 6 * 6 * 2 * 3 * 3
    acc = trace.tensors[first.tensor]
    assert (first.ledger.minimum, first.ledger.maximum) == (int(acc.min()), int(acc.max()))
    assert first.ledger.bits_used == hw.formats.signed_bits(int(acc.min()), int(acc.max()))
    clamped = trace.ledger[2].ledger
    assert clamped.clamped > 0
    assert clamped.elements == acc.size


def test_a_trace_does_not_change_with_the_caller() -> None:
    x = net.reals()
    trace = net.lowered().trace(x)
    kept = trace.tensors["x.value"].copy()
    x[:] = 0
    np.testing.assert_array_equal(trace.tensors["x.value"], kept)


def test_an_empty_batch_has_a_trace_and_a_picture() -> None:
    trace = net.lowered().trace(net.reals(0))
    assert trace.batch == 0
    assert trace.tensors["fc"].shape == (0, 5)
    trace.plot()


def test_names_used_twice_keep_both_tensors() -> None:
    import dataclasses

    from qsim.network.steps import Step, ValueSpec

    first, middle, last = net.steps()
    other = Step("quantize", "q2", ("x",), ("x.codes2",), net.boundary(0.1, 3))
    again = Step("program", "again", ("x.codes2",), ("fc2.codes",), {"program": 1})
    program = net.program()
    network = net.lowered(
        steps=(first, other, middle, again, last),
        programs=(program, dataclasses.replace(program, name="program1")),
        outputs=(ValueSpec("fc.real", (-1, 5)),),
    )
    trace = network.trace(net.reals())
    np.testing.assert_array_equal(trace.tensors["program1.x"], trace.tensors["x.codes2"])
    np.testing.assert_array_equal(trace.tensors["program1.fc"], trace.tensors["fc2.codes"])
    np.testing.assert_array_equal(trace.tensors["fc"], trace.tensors["fc.codes"])
    assert trace.ledger[-1].tensor == "program1.fc"


def test_histogram_counts_every_code_once() -> None:
    codes = np.arange(-128, 128).astype(np.int8)
    counts, edges = histogram(codes, -128, 127)
    assert counts.sum() == 256
    assert set(counts) == {4}
    assert edges[0] == -128.5
    counts, _ = histogram(np.array([-1, 0, 0]), -1, 0)
    assert counts.tolist() == [1, 2]
    wide, _ = histogram(np.array([-(1 << 31), (1 << 31) - 1]), -(1 << 31), (1 << 31) - 1)
    assert wide.sum() == 2


def test_one_panel_per_layer_that_computes() -> None:
    trace = net.lowered().trace(net.reals())
    assert [panel.title for panel in panels(trace.ledger)] == ["conv", "relu", "pool", "fc"]
    assert len([axes for axes in trace.plot().axes if axes.get_title(loc="left")]) == 4


def test_plot_leaves_no_global_state(tmp_path: Path) -> None:
    import sys

    figure = net.lowered().trace(net.reals()).plot(tmp_path / "trace.png")
    assert (tmp_path / "trace.png").read_bytes().startswith(b"\x89PNG")
    assert figure.canvas.manager is None
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []


def test_plot_refuses_paths(tmp_path: Path) -> None:
    trace = net.lowered().trace(net.reals())
    with pytest.raises(UsageError, match="no picture of kind 'xyz'"):
        trace.plot(tmp_path / "trace.xyz")
    with pytest.raises(UsageError, match="cannot be written"):
        trace.plot(tmp_path / "missing" / "trace.png")
