"""Primitives, patterns and passes from outside the package, by entry points and by calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import qsim
from qsim.errors import ModelError, TargetError, UsageError
from qsim.program import primitives
from qsim.program.bindings.binding import Binding
from qsim.quantizer.pt2 import load_pt2
from qsim.registry import Pattern, needs, passes
from qsim.registry import patterns as registry
from qsim.registry import primitives as registered
from qsim.registry.passes import Pass, ordered
from tests.fresh import ROOT
from tests.qsim import extension


def fresh(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the folder with what is installed there, and nothing registered before."""
    path = os.pathsep.join([str(folder), str(ROOT)])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def clean() -> Iterator[None]:
    """Take back what a test registers in this process."""
    before = set(primitives.PRIMITIVES), set(registry.names())
    yield
    for name in set(primitives.PRIMITIVES) - before[0]:
        registered.unregister(name)
    for name in set(registry.names()) - before[1]:
        registry.unregister(name)
    for name in ("find_quick_gelu", "own", "other"):
        passes.unregister(name)


def test_the_example_runs_from_the_command_line_by_entry_points(tmp_path: Path) -> None:
    extension.write(tmp_path)
    arguments = ("-m", "qsim", "run", "net.py:model", "--json", "--target")
    done = fresh(tmp_path, *arguments, "own.toml")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["host_operators"] == []
    primitives = [layer["primitive"] for layer in result["layers"]]
    assert primitives == ["correlation", "quick_gelu", "reshape", "linear"]
    assert result["target"]["name"] == "own"
    plain = fresh(tmp_path, *arguments, "q7")
    assert plain.returncode == 0, plain.stderr
    primitives = [layer["primitive"] for layer in json.loads(plain.stdout)["layers"]]
    assert primitives == ["correlation", "lookup", "reshape", "linear"]


STORED = """
import sys
import numpy as np
import qsim
assert not {"torch", "numba", "quick_gelu.graph"} & set(sys.modules)
network = qsim.load("net.qsim")
x = np.load("x.npy")
y = network(x)
assert "torch" not in sys.modules
assert "quick_gelu.unit" in sys.modules and "quick_gelu.graph" not in sys.modules
np.save("y.npy", y)
"""


def test_by_calls_the_numbers_are_the_units_and_files_keep_them(
    tmp_path: Path, clean: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    extension.write(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    # The metadata lies on the path too: entry points would register the same objects.
    from net import model
    from quick_gelu.graph import PATTERN, find_quick_gelu
    from quick_gelu.primitive import BINDING
    from quick_gelu.unit import quick_gelu, reference

    import hw_models as hw

    qsim.extend.register_primitive("quick_gelu", BINDING)
    qsim.extend.register_pattern(PATTERN)
    qsim.extend.register_pass("find_quick_gelu", find_quick_gelu, before="plain_numbers")
    every = np.arange(-128, 128)
    for fraction, shift in ((0, 0), (4, 8), (7, 9), (15, 31)):
        wanted = [reference(int(x), fraction, shift, -128, 127) for x in every]
        assert quick_gelu(every, fraction, shift, hw.FixedFormat(8)).tolist() == wanted

    target = qsim.Target.load(tmp_path / "own.toml")
    module, example, calibration, (x, _) = model()
    quantized = qsim.quantize(module, example, target, calibration)
    network = qsim.lower(quantized)
    assert network.host_operators == ()
    trace = network.trace(x)
    (program,) = network.programs
    call = next(call for call in program.calls if call.primitive == "quick_gelu")
    fraction, shift = call.attributes["fraction"], call.attributes["shift"]
    source, made = trace.tensors[call.inputs[0]], trace.tensors[call.output]
    limits = -128, 127
    wanted = [reference(int(code), fraction, shift, *limits) for code in source.reshape(-1)]
    assert made.reshape(-1).tolist() == wanted
    assert len(set(wanted)) > 20

    network.save(tmp_path / "net.qsim")
    np.save(tmp_path / "x.npy", x.numpy())
    done = fresh(tmp_path, "-c", STORED)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(tmp_path / "y.npy"), network(x).numpy())

    (tmp_path / "bare").mkdir()
    bare = fresh(tmp_path / "bare", "-c", "import qsim; qsim.load('../net.qsim')")
    assert "has 'quick_gelu', which neither the contract has nor an extension" in bare.stderr
    quantized.save_pt2(tmp_path / "net.pt2")
    again = load_pt2(tmp_path / "net.pt2")
    assert torch.equal(again(x), quantized(x))
    assert torch.equal(qsim.lower(again)(x), network(x))


def test_without_the_extension_a_target_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(extension.own_target())
    with pytest.raises(
        TargetError, match=r"primitives\.available: has 'quick_gelu', which neither"
    ):
        qsim.Target.load(path)


BROKEN = {
    "qsim.primitives": ("no_such_module:X", "cannot be imported: ModuleNotFoundError"),
    "qsim.patterns": ("json:dumps", "is a function (accepted: a qsim.patterns.pattern.Pattern)"),
    "qsim.passes": ("json:nothing", "cannot be imported: AttributeError"),
}


@pytest.mark.parametrize("group", list(BROKEN))
def test_a_broken_plug_in_is_one_line(tmp_path: Path, group: str) -> None:
    value, message = BROKEN[group]
    extension.install(tmp_path, "half-done", "1.0", {group: {"odd": value}})
    code = "import qsim; qsim.extend.load()"
    done = fresh(tmp_path, "-c", code)
    line = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert "entry point 'odd' in " + group + " of package half-done" in line
    assert message in line or message in line.replace("pattern 'odd': ", "")


def test_entry_points_wait_until_they_are_needed(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text("raise SystemError('imported')\n")
    extension.install(tmp_path, "loud", "1", {"qsim.primitives": {"loud": "loud:X"}})
    code = "import qsim; print(qsim.Target.load('q7').name); qsim.extend; from qsim import lower"
    assert fresh(tmp_path, "-c", code).stdout == "q7\n"
    done = fresh(tmp_path, "-m", "qsim", "run", "digits", "--samples", "1")
    assert done.returncode == 2
    assert "SystemError: imported" in done.stderr
    assert "Traceback" not in done.stderr


def _binding() -> Binding:
    return Binding((), {}, lambda *_: ((), None), lambda *_: None)  # type: ignore[arg-type,return-value]


def _pattern(name: str, **fields: object) -> Pattern:
    needed = {"overloads": ("sin.default",), "primitives": needs("add"), "lower": print}
    return Pattern(name=name, **{**needed, **fields})  # type: ignore[arg-type]


REFUSED = [
    (lambda: qsim.extend.register_primitive("add", _binding()), "another primitive has its name"),
    (lambda: qsim.extend.register_primitive("Own", _binding()), "is named 'Own'"),
    (
        lambda: qsim.extend.register_primitive("own", "x"),
        "is a str (accepted: a qsim.binding",
    ),
    (lambda: qsim.extend.register_pattern(_pattern("conv")), "another pattern has its name"),
    (lambda: qsim.extend.register_pattern("x"), "is a str (accepted: a qsim.patterns"),
    (lambda: qsim.extend.register_pass("own", 3), "pass 'own': its run is a int"),
    (lambda: qsim.extend.register_pass("own", print, before="a", after="b"), "has two places"),
]


@pytest.mark.parametrize(("action", "message"), REFUSED)
def test_registration_refuses(clean: None, action: object, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        action()  # type: ignore[operator]
    assert message in str(caught.value)


def test_a_pattern_for_an_unknown_operator_is_named(clean: None) -> None:
    qsim.extend.register_pattern(_pattern("own", overloads=("nowhere::nothing.default",)))
    with pytest.raises(UsageError, match="pattern 'own': torch has no operator 'nowhere::nothing"):
        registry.candidates(torch.ops.aten.sin.default)


def test_registered_patterns_are_asked_first_where_the_target_has_the_unit(clean: None) -> None:
    unit = _pattern("own", overloads=("add.Tensor",), primitives=needs("unit"))
    qsim.extend.register_pattern(unit)
    found = registry.candidates(torch.ops.aten.add.Tensor)
    assert [pattern.name for pattern in found] == ["own", "add"]
    quantized = qsim.quantize(Sum(), (torch.ones(2, 3),), qsim.Target.load("tflite"))
    (program,) = qsim.lower(quantized).programs
    assert [call.primitive for call in program.calls] == ["lookup"]  # of both, where none is taken


class Sum(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.relu(x)


def _nothing(graph: object, target: object) -> None:
    return None


def test_passes_stand_where_they_ask_to(clean: None) -> None:
    builtin = (Pass("first", _nothing), Pass("second", _nothing))
    for name, place in (
        ("own", {"after": "first"}),
        ("other", {"after": "first"}),
        ("find_quick_gelu", {"before": "own"}),
    ):
        qsim.extend.register_pass(name, _nothing, **place)
    names = [item.name for item in ordered(builtin)]
    assert names == ["first", "find_quick_gelu", "own", "other", "second"]


def test_a_pass_without_a_place_runs_last_and_an_unknown_place_is_refused(clean: None) -> None:
    qsim.extend.register_pass("own", _nothing)
    assert [item.name for item in ordered((Pass("first", _nothing),))] == ["first", "own"]
    qsim.extend.register_pass("other", _nothing, before="nowhere")
    with pytest.raises(UsageError, match=r"pass 'other': there is no 'nowhere' \(accepted: first"):
        ordered((Pass("first", _nothing),))


def test_a_pass_that_fails_is_named(clean: None) -> None:
    def fails(graph: object, target: object) -> None:
        raise ZeroDivisionError("oh")

    qsim.extend.register_pass("own", fails, before="fold_constants")
    with pytest.raises(ModelError, match="pass 'own': failed: ZeroDivisionError: oh"):
        qsim.quantize(Sum(), (torch.ones(2, 3),), qsim.Target.load("tflite"))
