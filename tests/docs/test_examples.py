"""The Python of README and docs runs as it is written, but for ExecuTorch's page."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

import qsim
import qsim.memory
from qsim import models
from qsim.cli import main
from tests.docs import blocks
from tests.docs.conftest import Example
from tests.docs.shown import Blocks
from tools.docs.shown import difference

EXECUTORCH = "docs/executorch.md"
SHOWN = Blocks(page for page in blocks.PAGES if page != EXECUTORCH)
# Modules and classes of an extension, which are files of a package there.
EXTENSION = ("# quick_gelu/unit.py", "# quick_gelu/primitive.py", "# quick_gelu/graph.py")
ELSEWHERE = {
    ("README.md", "# my_model.py"): "tests/docs/test_pages.py",
    ("docs/cli.md", "# my_net.py"): "tests/docs/test_pages.py",
    ("docs/bring-your-own-rtl.md", "# golden.py"): "tests/docs/test_pages.py",
    **{
        ("docs/extending.md", line): "tests/qsim/test_extend.py"
        for line in (*EXTENSION, "# net.py", "from quick_gelu.graph import")
    },
}
NOT_RUN = {
    ("docs/targets.md", "target = Target.load("): "signatures",
    ("docs/errors.md", "except QsimError as error:"): "the end of a try",
    ("docs/program.md", "@dataclass class Quantized:"): "signatures",
    ("docs/program.md", "@dataclass(frozen=True) class TensorSpec:"): "signatures",
    ("docs/program.md", "@dataclass(frozen=True) class Step:"): "signatures",
    ("docs/peers.md", "acc = correlation(x, weight, ...)"): "formulas, with `...` for arguments",
}
shown = SHOWN.example


@dataclass(frozen=True)
class Network:
    """digits on TFLite's target.

    Attributes:
        model: with its samples.
        quantized, lowered: what `qsim.quantize` and `qsim.lower` return.
    """

    model: Any
    quantized: qsim.Quantized
    lowered: qsim.Lowered

    @property
    def x(self) -> torch.Tensor:
        """Four images."""
        return self.model.samples[0][:4]

    @property
    def program(self) -> Any:
        """The one Program."""
        (program,) = self.lowered.programs
        return program

    @property
    def codes(self) -> np.ndarray:
        """Codes for the Program."""
        draw = np.random.default_rng(0)
        return draw.integers(-128, 128, (4, 1, 8, 8)).astype(np.int8)


@pytest.fixture(scope="module")
def digits() -> Network:
    model = models.load("digits")
    target = qsim.Target.load("tflite")
    quantized = qsim.quantize(
        model.module, model.example_inputs, target, calibration=model.calibration
    )
    return Network(model, quantized, qsim.lower(quantized))


@shown("README.md", "from qsim import models")
def test_from_python(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    example.run()
    printed = capsys.readouterr().out
    assert not difference(example.printed().splitlines(), printed.splitlines())
    assert printed.count("uses") == 3


@shown("README.md", "import hw_models as hw")
def test_the_numbers_alone(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    example.run()
    assert capsys.readouterr().out == example.printed()


@shown("docs/states.md", "class Decoder(nn.Module):")
def test_a_decoder_writes_text(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    example.run()
    assert capsys.readouterr().out == example.printed()


@shown("golden/README.md", "from qsim.golden import load, write")
def test_the_committed_layer(example: Example) -> None:
    assert main(["golden", "record", "digits", "-o", "FULL", "--samples", "1"]) == 0
    (example.folder / "golden").mkdir()
    example.run()
    made = qsim.golden.load("golden/digits-layer")
    committed = qsim.golden.load(blocks.ROOT / "golden" / "digits-layer")
    assert made.names == committed.names
    assert qsim.golden.check(made).ok


@shown("docs/golden.md", 'golden = qsim.golden.record(lowered, x, "digits_golden")')
def test_golden_sets(example: Example, digits: Network) -> None:
    lowered, x = digits.lowered, digits.x
    cases = list(qsim.golden.cases(lowered, x))
    result = example.run(qsim=qsim, lowered=lowered, x=x, cases=cases, target=lowered.target)
    assert result["checked"].ok
    assert list(result["golden"].names) == [case.name for case in cases]
    assert [path.suffix for path in sorted((example.folder / "hex").iterdir())] == [
        *(".hex", ".txt", ".hex"),
        *(".txt", ".json"),
    ]
    assert qsim.golden.load("mine").manifest["seed"] == 7


@shown("docs/golden.md", "import dataclasses")
def test_a_set_of_ones_own(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    example.run()
    assert capsys.readouterr().out == "[[-128, 3, 3, 3], [6, 14, 67, 127]]\n"
    assert qsim.golden.check("my_set").ok
    assert main(["cosim", "my_set", "--simulator", "icarus"]) == 0


@shown("docs/golden.md", "def test_requantize(assert_golden):")
def test_the_pytest_plugin(example: Example) -> None:
    head = "import numpy as np\nx = np.arange(3)\ndef my_rtl_model(x): return x\n\n"
    (example.folder / "test_mine.py").write_text(head + example.code)
    (example.folder / "pytest.ini").write_text("[pytest]\n")
    path = os.pathsep.join([str(blocks.ROOT), *sys.path])
    for extra, status in (((), 1), (("--golden-update",), 0), ((), 0)):
        plugins = ("-p", "qsim.pytest_plugin", "-p", "no:cacheprovider")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *plugins, *extra],
            env=os.environ | {"PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout
    assert (example.folder / "golden" / "requantize_edges.npy").is_file()


@shown("docs/quantize.md", "target = qsim.Target.load(")
def test_quantize(example: Example, digits: Network) -> None:
    module, example_input = digits.model.module, digits.model.example_inputs[0]
    names = {"model": module, "example": example_input, "batches": digits.model.calibration[:1]}
    result = example.run(**names, x=digits.x)
    assert result["quantized"].host == frozenset()
    assert (example.folder / "net.pt2").is_file()


@shown("docs/quantize.md", "from torch.export import Dim")
def test_sequences_of_any_length(example: Example) -> None:
    class Masked(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 2)

        def forward(self, words: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return self.layer(words) * mask

    words, mask = torch.rand(2, 5, 4), torch.ones(2, 5, 1)
    result = example.run(
        model=Masked().eval(),
        words=words,
        mask=mask,
        target=qsim.Target.load("tflite"),
        batches=[(words[:, :3], mask[:, :3]), (words, mask)],
        qsim=qsim,
    )
    assert result["y"].shape == (2, 5, 2)
    assert [spec.free for spec in result["lowered"].inputs] == [((1, 1, 128),)] * 2
    assert result["seven"].inputs[0].shape == (-1, 7, 4)


@shown("docs/cli.md", "from transformers import BertConfig, BertModel")
def test_a_factory_of_transformers(example: Example) -> None:
    module, inputs = example.run()["make"]()
    target = qsim.Target.load("tflite")
    lowered = qsim.lower(qsim.quantize(module, inputs, target), target)
    found = lowered(**inputs)
    assert found.last_hidden_state.shape == (2, 16, 32)


@shown("docs/stream.md", "program.run(x)")
def test_the_stream(example: Example, digits: Network) -> None:
    result = example.run(program=digits.program, x=digits.codes)
    assert len(result["stream"].compiled.commands) == len(result["stream"].compiled.table)


@shown("docs/memory.md", "allocation = program.allocate(")
def test_the_memory(example: Example, digits: Network) -> None:
    buffers = [qsim.memory.Buffer("a", 64, 0, 1), qsim.memory.Buffer("b", 32, 2, 3)]
    names = {"program": digits.program, "buffers": buffers, "space": qsim.memory.Space()}
    result = example.run(qsim=qsim, **names)
    assert result["allocation"].plan.fits


@shown("docs/processes.md", "again = pickle.loads(")
def test_pickles(example: Example, digits: Network) -> None:
    digits.lowered.save("net.qsim")
    result = example.run(qsim=qsim, x=digits.x)
    assert result["again"] is not result["lowered"]


@shown("docs/cosim.md", "report = qsim.cosim.run(")
def test_cosim(example: Example) -> None:
    _needs_icarus()
    shutil.copytree(blocks.ROOT / "golden" / "requantize", "golden/requantize")
    # Icarus compiles at once what takes Verilator seconds.
    code = example.code.replace('simulator="verilator"', 'simulator="icarus"')
    assert code != example.code
    assert example.run(code, qsim=qsim)["report"].ok


@shown("docs/testbenches.md", "made = job(case, target)")
def test_the_cocotb_bench(example: Example) -> None:
    _needs_icarus()
    pytest.importorskip("cocotb")
    golden = qsim.golden.load(blocks.ROOT / "golden" / "requantize")
    folder = example.folder / "bench"
    folder.mkdir()
    names = {"case": golden.cases[8], "target": golden.target, "folder": folder}
    result = example.run(**names)
    assert result["result"].agrees
    assert (folder / "results.xml").is_file()


def _needs_icarus() -> None:
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus is not installed")


def test_every_block_is_accounted_for() -> None:
    SHOWN.check(ELSEWHERE, NOT_RUN)
