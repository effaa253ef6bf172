"""``.pt2`` files that are damaged or hostile are refused, and nothing of them runs."""

from __future__ import annotations

import io
import json
import pickle
import random
import zipfile

import pytest
import torch

from qsim.errors import FileFormatError
from qsim.quantizer import quantize
from qsim.quantizer.pt2 import load_pt2
from tests.qsim.quantizer.pt2.files import changed, members, write


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
        "Pow(Integer(9), Integer(999999999))",
        "Pow(s0, Integer(3))**3",
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
