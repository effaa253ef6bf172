"""``.pt2`` files hold a network to the bit, in a fresh process too."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from qsim.errors import FileFormatError, UsageError
from qsim.graph.nodes import layer
from qsim.lowering import lower
from qsim.network import to_bytes
from qsim.quantizer import Quantized, quantize, saving
from qsim.quantizer.pt2 import from_bytes, load_pt2
from qsim.quantizer.saving import EXTRA, save_pt2
from qsim.registry.patterns import candidates
from qsim.target import Target
from tests.qsim.network.pickled import loaded, named
from tests.qsim.quantizer.pt2.files import changed
from tests.tree import ROOT


def test_round_trip(quantized, saved):
    loaded = load_pt2(saved)
    assert isinstance(loaded, Quantized)
    assert loaded.target == quantized.target
    assert loaded.batch is quantized.batch is True
    assert loaded.host == quantized.host
    assert torch.equal(loaded.example_inputs[0], quantized.example_inputs[0])
    for size in (1, 3, 8):
        x = torch.randn(size, 1, 6, 6)
        assert torch.equal(loaded(x), quantized(x))
        assert torch.equal(loaded.float_graph(x), quantized.float_graph(x))


def test_the_file_says_which_network_it_holds(quantized, saved, tmp_path):
    loaded = load_pt2(saved)
    assert loaded.recorded.digest == loaded.digest == quantized.digest == lower(quantized).digest

    def write(**changes):
        def change(document):
            document.update(changes)
            for name in [key for key, value in document.items() if value is None]:
                del document[name]

        return load_pt2(changed(saved, tmp_path / "net.pt2", EXTRA, change))

    other = write(network_sha256="0" * 64)
    with pytest.raises(FileFormatError, match=f"holds the network {quantized.digest}, but says 0"):
        lower(other)
    assert lower(other, Target.load("tflite-single"))  # of which it says nothing
    # Another version may lower to other integers; older ones wrote no digest.
    assert lower(write(network_sha256="0" * 64, qsim="0.0.1")).digest == quantized.digest
    assert lower(write(network_sha256=None)).digest == quantized.digest
    for held in ("0" * 63, "g" * 64, 3):
        with pytest.raises(FileFormatError, match="has network_sha256"):
            write(network_sha256=held)
    with pytest.raises(FileFormatError, match="names no version"):
        write(qsim=None)


class Halves(nn.Module):
    """Operators of several results: of one all are read, of the others not."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 1)
        self.norm = nn.BatchNorm2d(2, track_running_stats=False)

    def forward(self, x):
        first, second = self.conv(x).chunk(2, 1)
        _, last, more = first.unbind(2)[:3]
        return torch.cat([torch.relu(first), self.norm(second)], 1), last + more


def test_operators_of_several_results_keep_their_names(tmp_path):
    torch.manual_seed(0)
    x = torch.randn(2, 1, 4, 4)
    quantized = quantize(Halves(), x, Target.load("tflite"))
    quantized.save_pt2(tmp_path / "halves.pt2")
    loaded = load_pt2(tmp_path / "halves.pt2")
    for graph, again in (
        (quantized.graph, loaded.graph),
        (quantized.float_graph, loaded.float_graph),
    ):
        assert [
            (node.name, str(node.target))
            for node in graph.graph.nodes
            if node.op == "call_function"
        ] == [
            (node.name, str(node.target))
            for node in again.graph.nodes
            if node.op == "call_function"
        ]
    assert lower(loaded).digest == quantized.digest
    for one, other in zip(quantized(x), loaded(x), strict=True):
        assert torch.equal(one, other)


def test_names_and_layers_survive(quantized, saved):
    loaded = load_pt2(saved)

    def places(graph):
        return [(n.name, layer(n)) for n in graph.graph.nodes if candidates(n.target)]

    assert places(loaded.graph) == places(quantized.graph)
    assert places(loaded.float_graph) == places(quantized.float_graph)
    assert [name for name, _ in places(loaded.graph)] == [
        name for name, _ in places(loaded.float_graph)
    ]


def test_fresh_process_gives_the_same_bits(quantized, saved, tmp_path):
    x = torch.randn(5, 1, 6, 6)
    np.save(tmp_path / "x.npy", x.numpy())
    script = (
        "import sys, numpy, torch\n"
        "from qsim.quantizer.pt2 import load_pt2\n"
        "x = torch.from_numpy(numpy.load(sys.argv[2]))\n"
        "numpy.save(sys.argv[3], load_pt2(sys.argv[1])(x).numpy())\n"
    )
    arguments = [str(saved), str(tmp_path / "x.npy"), str(tmp_path / "y.npy")]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert np.array_equal(np.load(tmp_path / "y.npy"), quantized(x).numpy())


def test_torch_reads_the_graph_too(quantized, saved):
    x = torch.randn(2, 1, 6, 6)
    graph = torch.export.load(saved).module(check_guards=False)
    assert torch.equal(graph(x), quantized(x))


def test_static_batch(tmp_path):
    class Fixed(nn.Module):
        def forward(self, x):
            return torch.relu(x.view(1, 4))

    first = quantize(Fixed(), torch.ones(1, 2, 2), Target.load("q7"))
    save_pt2(first, tmp_path / "a.pt2")
    again = load_pt2(tmp_path / "a.pt2")
    assert again.batch is False
    assert torch.equal(again(torch.ones(1, 2, 2)), first(torch.ones(1, 2, 2)))


def test_float_network_is_a_model(small):
    program = load_pt2(small)
    assert isinstance(program, torch.export.ExportedProgram)
    assert isinstance(quantize(program, torch.ones(2, 2), Target.load("tflite")), Quantized)


def test_unwritable_path_leaves_nothing(quantized, tmp_path):
    with pytest.raises(UsageError):
        quantized.save_pt2(tmp_path / "missing" / "net.pt2")
    assert list(tmp_path.iterdir()) == []


def test_pickles_and_copies_are_bytes_of_the_file(quantized):
    x = torch.randn(3, 1, 6, 6)
    wanted = to_bytes(lower(quantized))
    data = pickle.dumps(quantized)
    assert named(data) == ["qsim.quantizer.pt2 from_bytes"]
    for other in (loaded(data), copy.deepcopy(quantized)):
        assert isinstance(other, Quantized)
        assert torch.equal(other(x), quantized(x))
        assert other.host == quantized.host
        assert to_bytes(lower(other)) == wanted


def test_damaged_bytes_are_refused(quantized):
    for wrong in (b"", saving.to_bytes(quantized)[:-40]):
        with pytest.raises(FileFormatError, match=r"bytes of a \.pt2 file"):
            from_bytes(wrong)
