"""ExecuTorch files that cannot be run as asked: one line, exit status 2 or 3, nothing written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qsim.cli import main
from qsim.errors import MissingToolError
from tests.qsim.cli.models import samples
from tests.qsim.cli.pte.files import folder_of_files, refusal, told


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = folder_of_files(tmp_path_factory)
    x = samples()
    nan = x.copy()
    nan[3, 0, 1, 2] = np.nan
    for name, array in {
        "double": x.astype(np.float64),
        "shape": np.ones((3, 1, 5, 4), np.float32),
        "flat": np.float32(1),
        "none": x[:0],
        "nan": nan,
        "labels_high": np.full(20, 3),
        "labels_few": np.zeros(19, np.int64),
        "codes": np.zeros((4, 1, 5, 5), np.int8),
        "six": np.zeros((6, 1, 5, 5), np.int8),
        "wide": np.full((4, 1, 5, 5), 200),
    }.items():
        np.save(path / f"{name}.npy", array)
    data = (path / "net.pte").read_bytes()
    (path / "short.pte").write_bytes(data[: len(data) // 2])
    (path / "empty.pte").write_bytes(b"")
    # The last bytes belong to the delegate, whose format has a digest.
    at = data.rindex(b"\0\0") - 100
    (path / "flipped.pte").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    (path / "not.bpte").write_bytes(data)
    return path


R = ["run", "net.pte"]
C = ["run", "codes.pte"]
BAD = [
    (["run", "gone.pte"], "file", "gone.pte: cannot be read"),
    (["run", "short.pte"], "file", "short.pte: "),
    (["run", "empty.pte"], "file", "empty.pte: "),
    (["run", "flipped.pte"], "file", "flipped.pte: "),
    (["run", "not.bpte"], "file", "not.bpte: it is a program without cases"),
    (["inspect", "short.pte"], "file", "short.pte: "),
    (["inspect", "flipped.pte"], "file", "flipped.pte: "),
    (["inspect", "not.bpte"], "file", "not.bpte: it is a program without cases"),
    ([*R, "--inputs", "gone.npy"], "input", "gone.npy: cannot be read"),
    ([*R, "--inputs", "x.npy", "--inputs", "x.npy"], "input", "takes 1 input, not 2"),
    ([*R, "--inputs", "shape.npy"], "input", "has shape (3, 1, 5, 4) (accepted: input 0: "),
    ([*R, "--inputs", "flat.npy"], "input", "flat.npy: has shape ()"),
    ([*R, "--inputs", "none.npy"], "input", "there are no samples"),
    ([*R, "--inputs", "nan.npy"], "input", "nan.npy: holds nan at index [3, 0, 1, 2]"),
    (
        [*R, "--inputs", "double.npy"],
        "input",
        'double.npy: holds float64 (accepted: float32; save it with .astype("float32"))',
    ),
    ([*R, "--inputs", "codes.npy"], "input", "codes.npy: holds int8 (accepted: float32)"),
    ([*R, "--batch", "9"], "usage", "takes batches of up to 8, not 9 (accepted: 1..8)"),
    ([*R, "--inputs", "x.npy", "--labels", "labels_high.npy"], "input", "holds the class 3"),
    ([*R, "--inputs", "x.npy", "--labels", "labels_few.npy"], "input", "for 20 samples"),
    ([*C, "--inputs", "x.npy"], "input", "x.npy: holds float32 (accepted: int8 codes"),
    ([*C, "--inputs", "six.npy"], "input", "takes batches of 4 only, and 6 samples"),
    ([*C, "--inputs", "wide.npy"], "input", "holds the code 200 at index [0, 0, 0, 0]"),
    ([*C, "--batch", "2"], "usage", "takes batches of 4 only, not 2"),
    ([*R, "--quantized-io"], "usage", "`qsim compile MODEL -o F.pte --quantized-io`"),
    ([*R, "--config", "c.toml"], "usage", "net.pte is quantized already"),
    ([*R, "--report", "r.html"], "usage", "no float graph and no Q/DQ graph"),
    ([*R, "--target", "q7"], "usage", "compiled for tflite sha256:950d75de9bd1693b, not for q7"),
    (
        [*R, "--method", "backward"],
        "usage",
        "has no method 'backward' (accepted: --method forward)",
    ),
    ([*R, "--data", "gone.ptd"], "file", "gone.ptd: cannot be read"),
    ([*R, "--samples", "0"], "usage", "--samples must be at least 1"),
    ([*R, "--compare", "gone.pte"], "file", "gone.pte: cannot be read"),
    ([*R, "--compare", "digit"], "model", "there is no model 'digit'"),
    ([*R, "--compare", "codes.pte"], "input", "codes.pte"),
    ([*R, "--compare", "net.qsim", "--trace", "t"], "usage", "--trace without --compare"),
    (["run", "net.qsim", "--data", "x.ptd"], "usage", "net.qsim is not an ExecuTorch program"),
    (["run", "net.qsim", "--method", "forward"], "usage", "--method: net.qsim is not an"),
    (["run", "net.qsim", "--compare", "net.pte"], "usage", "--compare: net.qsim is not an"),
    (["compile", "net.py:make", "-o", "a.qsim", "--batch", "2"], "usage", "with a .pte file"),
    (["compile", "net.py:make", "-o", "a.qsim", "--whole"], "usage", "--whole: a .qsim file"),
    (["compile", "net.py:make", "-o", "a.bpte"], "usage", ".qsim, .pt2 or .pte"),
    (["compile", "net.qsim", "-o", "a.pte"], "usage", "no longer holds the Q/DQ graph"),
    (["compile", "net.pte", "-o", "a.pte"], "usage", "`qsim run` and `qsim inspect` take it"),
    (["compile", "net.py:make", "-o", "a.pte", "--batch", "0"], "usage", "--batch must be at"),
    (
        ["compile", "net.py:make", "-o", "a.pte", "--batch", "2", "--max-batch", "4"],
        "usage",
        "--batch and --max-batch",
    ),
    (["cosim", "net.pte"], "usage", "`qsim run` and `qsim inspect` take it"),
]


@pytest.mark.parametrize(("arguments", "kind", "fragment"), BAD, ids=lambda v: str(v)[:60])
def test_one_line_that_says_what(
    folder: Path,
    arguments: list[str],
    kind: str,
    fragment: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    assert fragment in refusal(capsys, *arguments)
    assert told(capsys, *arguments, status=2)["error"]["kind"] == kind
    after = sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    assert after == before


def test_without_executorch(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Path:
        raise MissingToolError("ExecuTorch is not installed", where="executorch", accepted="pip")

    monkeypatch.setattr("qsim.executorch.adapter._home", missing)
    for arguments in (
        ["run", f"{folder}/net.pte"],
        ["inspect", f"{folder}/net.pte"],
        ["inspect", f"{folder}/net.bpte"],
        ["compile", f"{folder}/net.py:make", "-o", f"{folder}/a.pte"],
    ):
        assert "ExecuTorch is not installed" in refusal(capsys, *arguments, status=3)
    assert not (folder / "a.pte").exists()
    from qsim.doctor import _executorch

    check = _executorch()
    assert (check.status, check.found) == ("optional", "1.5.1")
    assert "pip install -e '.[executorch]'" in check.note


def test_doctor_finds_it(capsys: pytest.CaptureFixture[str]) -> None:
    from qsim.doctor import _executorch

    assert (_executorch().status, _executorch().found) == ("ok", "1.5.1")


def test_help_has_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    for command, options in {
        "run": ("--data", "--method", "--compare", "net.pte"),
        "compile": ("--batch", "--max-batch", "--whole", "digits.pte"),
        "inspect": ("net.pte", ".bpte"),
    }.items():
        assert main([command, "--help"]) == 0
        out = capsys.readouterr().out
        assert all(option in out for option in options)
