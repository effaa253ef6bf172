"""Bad usage and bad input: one line, the right exit status, nothing half-written."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from qsim.cli import main
from tests.tree import ROOT

MODELS = """
import numpy as np
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.head(x)

class Soft(Net):
    def forward(self, x):
        return torch.softmax(self.head(x), 1)

class Parts(Net):
    def forward(self, x):
        return torch.topk(self.head(x), 2)[0]

class Scalar(Net):
    def forward(self, x):
        return self.head(x)[:, 0]

class Branching(Net):
    def forward(self, x):
        return x if x.sum() > 0 else -x

def make():
    return Net(), (torch.ones(2, 4),)

def soft():
    return Soft(), (torch.ones(2, 4),)

def parts():
    return Parts(), (torch.ones(2, 4),)

def scalar():
    return Scalar(), (torch.ones(2, 4),)

def branching():
    return Branching(), (torch.ones(2, 4),)

def raising():
    raise RuntimeError("the weights are\\nnot here")

def nothing():
    return None

def checkpoint():
    return torch.load("pickle.pt")

def objects():
    return np.load("object.npy")
"""


class Bomb:
    def __reduce__(self) -> tuple:
        return (Path("bombed").write_text, ("by a pickle",))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.py").write_text(MODELS)
    good = np.ones((3, 4), np.float32)
    nan = good.copy()
    nan[1, 2] = np.nan
    for name, array in {
        "shape": np.ones((3, 5), np.float32),
        "flat": np.float32(1),
        "none": good[:0],
        "double": good.astype(np.float64),
        "codes": good.astype(np.int8),
        "text": np.array(["a"]),
        "labels": np.array([0, 1, 1]),
        "labels2": np.array([0, 1]),
        "labels_2d": np.array([[0], [1], [1]]),
        "labels_float": np.ones(3, np.float32),
        "labels_bool": np.ones(3, bool),
        "labels_high": np.array([0, 1, 2]),
        "labels_low": np.array([0, -1, 1]),
        "nan": nan,
        "good": good,
    }.items():
        np.save(tmp_path / f"{name}.npy", array)
    np.save(tmp_path / "object.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    torch.save({"model": Bomb()}, tmp_path / "pickle.pt")
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "short.npy").write_bytes((tmp_path / "good.npy").read_bytes()[:-8])
    (tmp_path / "noise.npy").write_bytes(b"\x93NUMPY\x01\x00\xff\xff" + bytes(range(256)))
    (tmp_path / "huge.npy").write_bytes(
        (tmp_path / "good.npy").read_bytes().replace(b"(3, 4), ", b"(1<<60,)")
    )
    (tmp_path / "broken.qsim").write_bytes(b"not a network")
    (tmp_path / "broken.pt2").write_bytes(b"not a program")
    (tmp_path / "broken.toml").write_text("schema = 1\nname = ")
    (tmp_path / "config.toml").write_text("[default]\nobservr = 'mse'\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    return tmp_path


M = "m.py:make"
# And nothing of what NumPy and torch add: how to load them all the same.
PICKLED = "the file holds pickled Python objects, whose loading could run code"
G = ["run", M, "--inputs", "good.npy", "--labels"]
BAD = [
    (["run", "digit"], "model", "there is no model 'digit'"),
    (["run", "net.py"], "model", "net.py:NAME"),
    (["run", "gone.py:make"], "model", "no such file"),
    (["run", "m.py:maek"], "model", "'maek' does not exist"),
    (["run", "m.py:raising"], "model", "RuntimeError: the weights are not here"),
    (["run", "m.py:nothing"], "model", "returned None"),
    (["run", "m.py:branching"], "model", "its control flow or a shape depends on data"),
    (["run", "no_such_package:make"], "model", "no_such_package"),
    (["run", "x.pte", "--quantized-io"], "usage", "x.pte fixes the types of its inputs"),
    (["run", "gone.qsim"], "file", "gone.qsim"),
    (["run", "broken.qsim"], "file", "broken.qsim"),
    (["run", "broken.qsim"], "file", "(accepted: a whole file, as `qsim compile` writes it)"),
    (["run", "gone.pt2"], "file", "gone.pt2"),
    (["run", "broken.pt2"], "file", "broken.pt2"),
    (["run", M, "--target", "tflit"], "target", "tflite"),
    (["run", M, "--target", "gone.toml"], "target", "gone.toml"),
    (["run", M, "--target", "broken.toml"], "target", "broken.toml"),
    (["run", M, "--config", "gone.toml"], "usage", "gone.toml"),
    (["run", M, "--config", "config.toml"], "usage", "observr"),
    (["run", M, "--inputs", "gone.npy"], "input", "gone.npy"),
    (["run", M, "--inputs", "shape.npy"], "input", "has shape (3, 5) (accepted: x (N, 4))"),
    (["run", M, "--inputs", "flat.npy"], "input", "has shape ()"),
    (["run", M, "--inputs", "none.npy"], "input", "there are no samples"),
    (
        ["run", M, "--inputs", "double.npy"],
        "input",
        'double.npy: holds float64 (accepted: float32; save it with .astype("float32"))',
    ),
    (
        ["run", M, "--inputs", "double.npy", "--quantized-io"],
        "input",
        'holds float64 (accepted: float32 or int8 codes; save it with .astype("float32"))',
    ),
    (
        ["run", M, "--inputs", "codes.npy"],
        "input",
        "codes.npy: holds int8 (accepted: float32, or integer codes with --quantized-io)",
    ),
    (["run", M, "--labels", "labels.npy"], "usage", "(accepted: --labels with --inputs)"),
    ([*G, "gone.npy"], "input", "gone.npy: cannot be read"),
    ([*G, "object.npy"], "input", "one class for each sample"),
    ([*G, "labels2.npy"], "input", "has shape (2) for 3 samples (accepted: one class for each"),
    ([*G, "labels2.npy", "--samples", "2"], "input", "has shape (2) for 3 samples"),
    ([*G, "labels_2d.npy"], "input", "has shape (3, 1) for 3 samples"),
    ([*G, "labels_float.npy"], "input", "labels_float.npy: holds float32 (accepted: integer"),
    ([*G, "labels_bool.npy"], "input", "holds bool (accepted: integer classes)"),
    ([*G, "labels_high.npy"], "input", "holds the class 2 at index [2] (accepted: 0..1)"),
    ([*G, "labels_low.npy"], "input", "holds the class -1 at index [1] (accepted: 0..1)"),
    (["run", "m.py:scalar", *G[2:], "labels.npy"], "input", "has no classes"),
    (["run", M, "--inputs", "nan.npy"], "input", "holds nan at index [1, 2]"),
    (["run", M, "--inputs", "text.npy"], "input", "holds <U1"),
    (["run", M, "--inputs", "object.npy"], "input", f"is not a .npy file of numbers: {PICKLED}"),
    (["run", "m.py:checkpoint"], "model", f"UnpicklingError: {PICKLED}"),
    (["run", "m.py:objects"], "model", f"ValueError: {PICKLED}"),
    (["run", M, "--inputs", "pickle.npy"], "input", "is not a .npy file of numbers"),
    (["run", M, "--inputs", "short.npy"], "input", "is not a .npy file of numbers"),
    (["run", M, "--inputs", "noise.npy"], "input", "is not a .npy file of numbers"),
    (["run", M, "--inputs", "huge.npy"], "input", "is not a .npy file of numbers"),
    (["run", M, "--inputs", "good.npy", "--inputs", "good.npy"], "input", "takes 1 input, not 2"),
    (["run", M, "--trace", "full"], "usage", "exists and is not empty"),
    (["run", M, "--trace", "gone/t"], "usage", "not a writable directory"),
    (["run", M, "--report", "gone/r.html"], "usage", "not a writable directory"),
    (["run", M, "--report", "full"], "usage", "is a directory"),
    (["run", M, "--report", "x.txt"], "usage", "(accepted: a name that ends in .html)"),
    (["run", M, "--report", "html"], "usage", "(accepted: a name that ends in .html)"),
    (["run", M, "--samples", "0"], "usage", "qsim: --samples must be at least 1, not 0 (accepted"),
    (["run", M, "--threads", "0"], "usage", "qsim: --threads must be at least 1, not 0 (accepted"),
    (["run", M, "--batch", "-1"], "usage", "qsim: --batch must be at least 1, not -1 (accepted"),
    (
        ["run", "m.py:soft", "--quantized-io", "--target", "q7"],
        "model",
        (
            "its output comes from aten.softmax.int, which runs on the host in float (accepted: a "
            "network that ends on the accelerator; drop the operator or run without --quantized-io)"
        ),
    ),
    (["run", "m.py:parts", "--quantized-io"], "model", "comes from aten.topk.default, which"),
    (
        ["compile", "m.py:soft", "-o", "x.qsim", "--quantized-io", "--target", "q7"],
        "model",
        "aten.softmax.int",
    ),
    (["run", M, "--batch", "many"], "usage", "--batch"),
    (["run", M, "--threads", "100000"], "usage", "--threads"),
    (["run", M, "--tarjet", "q7"], "usage", "--tarjet"),
    (["run"], "usage", "qsim run --help"),
    (["rnu", M], "usage", "rnu"),
    (["compile", M], "usage", "-o"),
    (["compile", M, "-o", "x.onnx"], "usage", ".qsim, .pt2 or .pte"),
    (["compile", M, "-o", "gone/x.qsim"], "usage", "a directory that exists"),
    (["compile", M, "-o", "x.pt2", "--quantized-io"], "usage", "--quantized-io"),
    (["compile", "broken.qsim", "-o", "x.pt2"], "usage", "Q/DQ graph"),
    (
        ["compile", "m.py:branching", "-o", "x.qsim"],
        "model",
        "its control flow or a shape depends on data",
    ),
    (["inspect", "m.py"], "usage", ".qsim, .pt2, .pte, .bpte or target .toml"),
    (["inspect", "broken.qsim"], "file", "(accepted: a whole file, as `qsim compile` writes it)"),
    (["inspect", "broken.toml"], "target", "broken.toml"),
    (["targets", "tflite2"], "target", "tflite"),
]


@pytest.mark.parametrize(("arguments", "kind", "fragment"), BAD, ids=lambda v: str(v)[:60])
def test_one_line_that_says_what(
    folder: Path,
    arguments: list[str],
    kind: str,
    fragment: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(p for p in folder.rglob("*") if p.name != "__pycache__")
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert err.startswith("qsim: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert fragment in err
    assert len(err) < 700
    assert out == ""  # no title of what is then refused

    assert main([*arguments, "--json"]) == 2
    out, err = capsys.readouterr()
    assert err == ""
    error = json.loads(out)["error"]
    assert list(error) == ["kind", "message", "where", "accepted"]
    assert error["kind"] == kind
    assert error["message"]
    after = sorted(p for p in folder.rglob("*") if "__pycache__" not in p.parts)
    assert after == before


def test_a_defect_is_one_line_and_status_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_output: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("qsim.cli.listing.show_models", fail)
    monkeypatch.delenv("QSIM_DEBUG", raising=False)
    assert main(["models"]) == 4
    err = capsys.readouterr().err
    assert err.startswith("qsim: internal error: ZeroDivisionError: division by zero; please")
    assert err.count("\n") == 1
    monkeypatch.setenv("QSIM_DEBUG", "1")
    assert main(["models"]) == 4
    assert "Traceback" in capsys.readouterr().err


def test_contract_errors_of_the_primitives_are_bad_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hw_models import AccumulatorOverflowError, ContractError

    errors = [ContractError("no"), AccumulatorOverflowError("sum", (0, 1), 4096, "-2048..2047")]
    for error in errors:

        def fail(_output: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("qsim.cli.listing.show_models", fail)
        assert main(["models"]) == 2
        assert capsys.readouterr().err == f"qsim: {error}\n"


def test_missing_tool_is_status_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("qsim.doctor._NEEDED", (("nowhere", "nowhere_at_all", "pip install it"),))
    assert main(["doctor", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    lacking = [check for check in found["checks"] if check["status"] == "missing"]
    assert [check["note"] for check in lacking] == ["pip install it"]


def test_interrupt_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("qsim.report.evaluate.Evaluator.result", interrupted)
    before = sorted(folder.rglob("*"))
    arguments = ["run", M, "--trace", "t", "--report", "r.html"]
    assert main(arguments) == 130
    assert capsys.readouterr().err == "qsim: interrupted\n"
    after = sorted(p for p in folder.rglob("*") if "__pycache__" not in p.parts)
    assert after == before


def test_a_closed_pipe_is_one_line() -> None:
    command = [sys.executable, "-m", "qsim", "targets"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == b"qsim: the reader of stdout went away\n"
        assert child.wait() == 141


def test_stdout_of_another_encoding() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "qsim", "targets"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert b"narrow20" in done.stdout
