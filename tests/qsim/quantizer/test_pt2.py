"""``.pt2`` files: bit-identical in a fresh process; damaged and hostile files are refused."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import random
import subprocess
import sys
import zipfile

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
from tests.tree import ROOT


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        y = self.act(self.norm(self.conv(x)))
        y = y + self.act(x)
        return self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(y, 1), 1))


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x):
        return torch.relu(self.linear(x))


@pytest.fixture(scope="module")
def quantized():
    torch.manual_seed(0)
    return quantize(Net(), torch.randn(1, 4, 6, 6)[:, :1], Target.load("tflite"))


@pytest.fixture(scope="module")
def saved(quantized, tmp_path_factory):
    path = tmp_path_factory.mktemp("pt2") / "net.pt2"
    quantized.save_pt2(path)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("pt2") / "small.pt2"
    torch.export.save(torch.export.export(Small().eval(), (torch.randn(2, 2),)), path)
    return path


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {i.filename: archive.read(i) for i in archive.infolist()}


def write(path, files, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def changed(source, destination, suffix, change):
    """Write a copy in which one JSON member is changed."""
    files = members(source)
    name = next(n for n in files if n.endswith(suffix))
    document = json.loads(files[name])
    change(document)
    files[name] = json.dumps(document).encode()
    return write(destination, files)


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


def refused(path, text):
    with pytest.raises(FileFormatError) as caught:
        load_pt2(path)
    message = str(caught.value)
    assert text in message
    assert "\n" not in message
    assert caught.value.where == str(path)


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.fixture
def fuse(tmp_path):
    path = tmp_path / "exploded"
    yield path
    assert not path.exists()


def test_pickled_sample_inputs(small, tmp_path, fuse):
    buffer = io.BytesIO()
    torch.save(((Bomb(fuse),), {}), buffer)
    files = members(small)
    name = next(n for n in files if "sample_inputs" in n)
    path = write(tmp_path / "x.pt2", {**files, name: buffer.getvalue()})
    refused(path, "more than tensors, whose loading could run code")


def test_pickled_weight(small, tmp_path, fuse):
    buffer = io.BytesIO()
    torch.save(Bomb(fuse), buffer)
    files = members(small)
    config = next(n for n in files if n.endswith("weights_config.json"))
    document = json.loads(files[config])
    payload = next(iter(document["config"].values()))
    payload["use_pickle"] = True
    weight = next(n for n in files if n.endswith(f"/{payload['path_name']}"))
    files.update({config: json.dumps(document).encode(), weight: buffer.getvalue()})
    refused(write(tmp_path / "x.pt2", files), "as a pickled object")


def test_opaque_object(small, tmp_path, fuse):
    files = members(small)
    root = next(iter(files)).split("/")[0]
    files[f"{root}/data/constants/opaque_obj_0"] = pickle.dumps(Bomb(fuse))
    refused(write(tmp_path / "x.pt2", files), "which is code, a pickled object, or unknown")


def test_opaque_object_under_a_tensors_name(small, tmp_path, fuse):
    files = members(small)
    root = next(iter(files)).split("/")[0]
    files[f"{root}/data/constants/tensor_0"] = pickle.dumps(Bomb(fuse))
    config = next(n for n in files if n.endswith("constants_config.json"))
    for path_name in ("tensor_0", "opaque_obj_0", "../constants/opaque_obj_0"):
        payload = {"path_name": path_name, "is_param": False, "use_pickle": True}
        files[config] = json.dumps({"config": {"c": {**payload, "tensor_meta": None}}}).encode()
        refused(write(tmp_path / "x.pt2", files), "as a pickled object")


@pytest.mark.parametrize("name", ["data/aotinductor/model/x.so", "../x", "extra/a/b", "code.py"])
def test_unknown_members(small, tmp_path, name):
    files = members(small)
    root = next(iter(files)).split("/")[0]
    refused(write(tmp_path / "x.pt2", {**files, f"{root}/{name}": b"x"}), "holds ")


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('touch exploded')",
        "().__class__",
        "s0.free_symbols",
        "open('exploded', 'w')",
        "Symbol('s0', positive=open('exploded', 'w'))",
        "lambda: 1",
        "9**9**9**9",
        "2**s0",
        "[1 for x in s0]",
        "s0;s0",
        "'a'*9",
        "s0" * 3000,
        7,
    ],
)
def test_shapes_are_never_evaluated_but_arithmetic(saved, tmp_path, expression, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def change(document):
        sizes = document["graph_module"]["graph"]["tensor_values"]["x"]["sizes"]
        sizes[0]["as_expr"]["expr_str"] = expression

    refused(changed(saved, tmp_path / "x.pt2", "models/model.json", change), "has the shape")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "target",
    [
        "torch.hub.load",
        "torch.load",
        "_operator.attrgetter",
        "_operator.methodcaller",
        "math.inf.__class__",
        "torch.ops.load_library",
        "torch.ops.higher_order.cond",
        "torch.ops.aten.from_file.default",
        "#x.y",
        "",
    ],
)
def test_only_known_operators_are_called(small, tmp_path, target):
    def change(document):
        document["graph_module"]["graph"]["nodes"][0]["target"] = target

    refused(changed(small, tmp_path / "x.pt2", "models/model.json", change), "calls ")


def test_guards_are_not_executed(small, tmp_path, fuse):
    def change(document):
        document["guards_code"] = [f"open({str(fuse)!r}, 'w')"]

    program = load_pt2(changed(small, tmp_path / "x.pt2", "models/model.json", change))
    program.module()(torch.ones(2, 2))


def test_quantized_by_others(saved, tmp_path):
    files = {n: d for n, d in members(saved).items() if not n.endswith("qsim_target.json")}
    program = load_pt2(write(tmp_path / "x.pt2", files))
    known = load_pt2(saved)
    again = quantize(program.module(check_guards=False), known.example_inputs, known.target)
    assert again.digest == known.digest


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d.update(format=2), "has format 2"),
        (lambda d: d.pop("names"), "where a table belongs"),
        (lambda d: d["names"].update(model=["a"]), "node names"),
        (lambda d: d["names"]["model"].__setitem__(0, "a b"), "node names"),
        (lambda d: d["names"]["model"].__setitem__(0, "x"), "node names"),
        (lambda d: d.update(batch=1), "has batch 1"),
        (lambda d: d.update(samples=[]), "no sample inputs"),
        (lambda d: d.pop("host"), "no list of host operators"),
        (lambda d: d["target"]["input"].update(bits=99), "input.bits"),
        (lambda d: d["target"].update(unknown=1), "unknown"),
    ],
)
def test_damaged_description(saved, tmp_path, change, text):
    refused(changed(saved, tmp_path / "x.pt2", "qsim_target.json", change), text)


def test_wrong_files(small, tmp_path):
    refused(tmp_path / "missing.pt2", "cannot be read: no such file")
    refused(tmp_path, "it is a directory, not a regular file")
    (tmp_path / "text.pt2").write_text("hello")
    refused(tmp_path / "text.pt2", "not an undamaged zip")
    (tmp_path / "empty.pt2").write_bytes(b"")
    refused(tmp_path / "empty.pt2", "not an undamaged zip")
    refused(write(tmp_path / "none.pt2", {}), "folders at its top")
    refused(write(tmp_path / "other.pt2", {"a/archive_format": b"pt2"}), "holds no program")
    refused(write(tmp_path / "deflated.pt2", members(small), zipfile.ZIP_DEFLATED), "compressed")
    torch.save({"a": torch.ones(1)}, tmp_path / "weights.pt2")
    refused(tmp_path / "weights.pt2", "holds 'data.pkl'")


def test_same_name_twice(small, tmp_path):
    files = members(small)
    path = write(tmp_path / "x.pt2", files)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(next(iter(files)), b"x")
    refused(path, "has one name twice")


def test_deep_json(small, tmp_path):
    files = members(small)
    name = next(n for n in files if n.endswith("models/model.json"))
    files[name] = b"[" * 200_000 + b"]" * 200_000
    refused(write(tmp_path / "x.pt2", files), "is not a readable .pt2 file")


def test_mutations_are_refused_or_harmless(small, tmp_path):
    """Flip bits, cut and overwrite: a file that still loads computes what it did."""
    data = small.read_bytes()
    x = torch.ones(2, 2)
    with torch.no_grad():
        expected = load_pt2(small).module()(x)
    generator = random.Random(0)  # noqa: S311  # not a secret
    path = tmp_path / "x.pt2"
    messages = []
    for number in range(300):
        mutant = bytearray(data)
        place = generator.randrange(len(data))
        if number % 3 == 0:
            del mutant[place:]
        elif number % 3 == 1:
            mutant[place] ^= 1 << generator.randrange(8)
        else:
            mutant[place : place + 16] = generator.randbytes(16)
        path.write_bytes(bytes(mutant))
        try:
            program = load_pt2(path)
        except FileFormatError as error:
            messages.append(str(error))
        else:
            with torch.no_grad():
                assert torch.equal(program.module()(x), expected)
    assert len(messages) > 150
    assert not any("\n" in message for message in messages)


def test_mutated_json_with_correct_checksums(small, tmp_path):
    """What CRCs cannot see: values of the documents exchanged for others."""
    files = members(small)
    names = [n for n in files if n.endswith(".json")]
    generator = random.Random(1)  # noqa: S311  # not a secret
    values = [None, -1, 0, 2**63, "x", [], {}, True, 1.5]
    messages = []
    for _ in range(150):
        name = generator.choice(names)
        document = json.loads(files[name])
        spot = document
        while isinstance(spot, (dict, list)) and spot:
            keys = list(spot) if isinstance(spot, dict) else range(len(spot))
            key = generator.choice(list(keys))
            if not isinstance(spot[key], (dict, list)) or generator.random() < 0.1:
                spot[key] = generator.choice(values)
                break
            spot = spot[key]
        path = write(tmp_path / "x.pt2", {**files, name: json.dumps(document).encode()})
        try:
            load_pt2(path)
        except FileFormatError as error:
            messages.append(str(error))
    assert len(messages) > 20
    assert not any("\n" in message for message in messages)


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
