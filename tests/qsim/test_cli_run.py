"""`qsim run`, `compile` and `inspect` on a small model of one's own and on digits."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import qsim
from qsim.cli import main
from qsim.evaluate import outputs_digest

FACTORY = """
import torch

class Net(torch.nn.Module):
    def __init__(self, host=False):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 4, 3, padding=1)
        self.head = torch.nn.Linear(4 * 5 * 5, 3)
        self.host = host

    def forward(self, x):
        y = self.head(torch.relu(self.conv(x)).flatten(1))
        return torch.softmax(y, 1) if self.host else y

def _make(host=False):
    generator = torch.Generator().manual_seed(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Net(host)
    x = torch.rand(20, 1, 5, 5, generator=generator)
    return net, x

def make():
    net, x = _make()
    return net, (x[:2],), [(x[:10],)], (x, torch.arange(20) % 3)

def bare():
    net, x = _make()
    return net, (x[:2],)

class Two(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Linear(4, 3)
        self.b = torch.nn.Linear(5, 3)

    def forward(self, x, y):
        return self.a(x) + self.b(y), self.a(x)

def two():
    return Two(), (torch.rand(4, 4), torch.rand(4, 5))

class Static(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.a(x).reshape(2, 3)

def static():
    return Static(), (torch.rand(2, 4),), [(torch.rand(2, 4),), (torch.rand(2, 4),)]

def half():
    net, x = _make()
    return net.half(), (x[:2].half(),)

def double():
    net, x = _make()
    return net.double(), (x[:2].double(),)

def host():
    net, x = _make(host=True)
    print("a factory may print")
    return net, (x[:2],), [(x[:10],)], (x, None)
"""

RUN_KEYS = [
    *("model", "target", "samples", "accuracy", "host_operators", "outputs_sha256", "seconds"),
    *("layers", "agreement", "source", "quantized_io"),
]
LAYER_KEYS = [
    *("name", "primitive", "shape", "macs", "sqnr_db", "lsb_max", "lsb_differing"),
    *("accumulator_bits", "accumulator_bits_used", "overflows", "clamped", "path"),
    *("reason", "tensor", "elements", "sqnr_infinite", "first_overflow", "accumulators"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli")
    (path / "net.py").write_text(FACTORY)
    return path


@pytest.fixture(scope="module")
def compiled(folder: Path) -> Path:
    file = folder / "net.qsim"
    assert main(["compile", f"{folder}/net.py:make", "-o", str(file)]) == 0
    return file


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert main(["run", *arguments, "--json"]) == 0
    out, err = capsys.readouterr()

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is not JSON")

    assert err == ""
    return json.loads(out, parse_constant=refuse)


def test_json_keys_are_the_surface(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, f"{folder}/net.py:make")
    assert list(found) == RUN_KEYS
    assert list(found["target"]) == ["name", "hash"]
    assert list(found["accuracy"]) == ["float", "qdq", "hardware"]
    assert found["samples"] == 20
    assert all(0 <= found["accuracy"][name] <= 1 for name in found["accuracy"])
    assert re.fullmatch("[0-9a-f]{64}", found["outputs_sha256"])
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert all(list(layer) == LAYER_KEYS for layer in found["layers"])
    assert layers["conv"]["macs"] == 4 * 25 * 9
    assert layers["head"]["macs"] == 300
    assert layers["conv"]["shape"] == [4, 5, 5]
    assert layers["conv"]["accumulator_bits"] == 32
    assert layers["conv"]["elements"] == 20 * 100


def test_batch_size_changes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = f"{folder}/net.py:make"
    whole, single, odd = (
        run_json(capsys, model, "--batch", size, "--threads", threads)
        for size, threads in (("20", "1"), ("1", "1"), ("7", "2" if _cpus() > 1 else "1"))
    )
    # The Q/DQ graph is fp32: how it sums may depend on the batch, so what is compared with it may
    # too. What the hardware model computes may not.
    exact = [*LAYER_KEYS[:4], *LAYER_KEYS[7:11], "elements", "first_overflow", "accumulators"]
    for other in (single, odd):
        assert other["outputs_sha256"] == whole["outputs_sha256"]
        assert other["accuracy"]["hardware"] == whole["accuracy"]["hardware"]
        for mine, theirs in zip(other["layers"], whole["layers"], strict=True):
            assert [mine[key] for key in exact] == [theirs[key] for key in exact]


def _cpus() -> int:
    import numba

    return int(numba.config.NUMBA_NUM_THREADS)


def test_compiled_file_gives_the_same_integers(
    folder: Path, compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    samples = torch.rand(20, 1, 5, 5, generator=torch.Generator().manual_seed(1)).numpy()
    np.save(folder / "x.npy", samples)
    capsys.readouterr()
    direct = run_json(capsys, f"{folder}/net.py:make")
    stored = run_json(capsys, str(compiled), "--inputs", f"{folder}/x.npy")
    assert stored["outputs_sha256"] == direct["outputs_sha256"]
    assert stored["accuracy"] == {"float": None, "qdq": None, "hardware": None}
    assert stored["layers"][0]["sqnr_db"] is None
    assert stored["layers"][0]["lsb_max"] is None
    assert stored["layers"][0]["overflows"] == direct["layers"][0]["overflows"]


def test_pt2_gives_the_same_integers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "net.pt2"
    assert main(["compile", f"{folder}/net.py:make", "-o", str(file), "--target", "q7"]) == 0
    capsys.readouterr()
    direct = run_json(capsys, f"{folder}/net.py:make", "--target", "q7")
    np.save(folder / "x.npy", _samples())
    stored = run_json(capsys, str(file), "--inputs", f"{folder}/x.npy")
    assert stored["target"] == direct["target"]
    assert stored["outputs_sha256"] == direct["outputs_sha256"]
    assert stored["layers"][0]["lsb_differing"] == direct["layers"][0]["lsb_differing"]
    assert main(["inspect", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "Q/DQ graph"


def _samples() -> np.ndarray:
    import torch

    return torch.rand(20, 1, 5, 5, generator=torch.Generator().manual_seed(1)).numpy()


def test_codes_and_floats_are_the_same_run(
    folder: Path, compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Integer I/O given floats quantizes them; given those codes it must compute the same."""
    from qsim import load

    lowered = load(compiled).quantized_io()
    spec = lowered.inputs[0]
    np.save(folder / "float.npy", _samples())
    import hw_models

    codes = hw_models.quantize(_samples(), spec.scale, spec.zero_point, output=spec.format)
    np.save(folder / "codes.npy", codes)
    np.save(folder / "wide.npy", codes.astype(np.int64))
    digests = {
        run_json(capsys, str(compiled), "--quantized-io", "--inputs", f"{folder}/{name}.npy")[
            "outputs_sha256"
        ]
        for name in ("float", "codes", "wide")
    }
    assert digests == {outputs_digest([lowered(codes)])}
    assert lowered(codes).dtype == np.int8


def test_accuracy_of_codes_is_accuracy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real = run_json(capsys, f"{folder}/net.py:make")
    codes = run_json(capsys, f"{folder}/net.py:make", "--quantized-io")
    assert codes["accuracy"] == real["accuracy"]
    assert codes["quantized_io"] is True
    assert codes["outputs_sha256"] != real["outputs_sha256"]


@pytest.mark.parametrize("factory", ["make", "bare", "host"])
def test_text_fits_and_says_what_it_is(
    folder: Path, factory: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", f"{folder}/net.py:{factory}", "--target", "narrow20"]) == 0
    out, _ = capsys.readouterr()
    lines = out.splitlines()
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in out
    assert "on narrow20 sha256:" in lines[0]
    expected = {
        "make": "accuracy    float",
        "bare": "example inputs (no others given)",
        "host": "aten.softmax",
    }
    assert expected[factory] in out
    assert ("argmax agrees with float" in out) == (factory != "make")


def test_a_factory_that_prints_leaves_json_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", f"{folder}/net.py:host", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["host_operators"][0]["operator"].startswith("aten.softmax")
    assert list(found["host_operators"][0]) == ["operator", "layer", "reason"]
    assert found["host_operators"][0]["reason"]


def test_two_inputs_and_two_outputs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = np.ones((6, 4), np.float32), np.ones((6, 5), np.float32)
    np.save(folder / "x4.npy", x)
    np.save(folder / "y5.npy", y)
    both = ("--inputs", f"{folder}/x4.npy", "--inputs", f"{folder}/y5.npy")
    found = run_json(capsys, f"{folder}/net.py:two", *both, "--batch", "4", "--samples", "5")
    assert found["samples"] == 5
    assert found["source"].startswith("the first 5 of 6 samples of")
    assert [layer["macs"] for layer in found["layers"]][:2] == [12, 15]
    swapped = (both[2], both[3], both[0], both[1])
    assert main(["run", f"{folder}/net.py:two", *swapped]) == 2
    assert "has shape (6, 5) (accepted: x (N, 4))" in capsys.readouterr().err
    np.save(folder / "y5.npy", y[:5])
    assert main(["run", f"{folder}/net.py:two", *both]) == 2
    assert "the inputs have 6, 5 samples" in capsys.readouterr().err


def test_labels_give_a_compiled_file_its_accuracy(
    folder: Path, compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(folder / "x.npy", _samples())
    np.save(folder / "y.npy", np.arange(20) % 3)
    np.save(folder / "y_big.npy", (np.arange(20) % 3).astype(">u2"))
    capsys.readouterr()
    direct = run_json(capsys, f"{folder}/net.py:make")["accuracy"]
    for model, known in ((str(compiled), ["hardware"]), (f"{folder}/net.py:bare", [*direct])):
        for labels in ("y", "y_big"):
            given = (
                *("--inputs", f"{folder}/x.npy"),
                *("--labels", f"{folder}/{labels}.npy"),
            )
            found = run_json(capsys, model, *given)
            assert found["source"].endswith(f"labels of {folder}/{labels}.npy")
            assert [key for key in direct if found["accuracy"][key] is not None] == known
            if model == str(compiled):
                assert found["accuracy"]["hardware"] == direct["hardware"]
    part = run_json(capsys, str(compiled), *given, "--samples", "3")
    codes = qsim.load(compiled)(_samples()[:3])
    assert part["accuracy"]["hardware"] == (codes.argmax(1) == [0, 1, 2]).mean()
    assert main(["run", str(compiled), *given, "--report", f"{folder}/labels.html"]) == 0
    assert "accuracy    hardware" in capsys.readouterr().out
    assert f"--labels {folder}/y_big.npy" in (folder / "labels.html").read_text()


def test_byte_order_changes_nothing(
    folder: Path, compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    found = []
    for order in "<>":
        np.save(folder / f"order{order}.npy", _samples().astype(f"{order}f4"))
        inputs = ("--inputs", f"{folder}/order{order}.npy")
        found.append(run_json(capsys, str(compiled), *inputs)["outputs_sha256"])
        codes = (np.arange(500).reshape(20, 1, 5, 5) % 100).astype(f"{order}i2")
        np.save(folder / f"codes{order}.npy", codes)
        inputs = ("--inputs", f"{folder}/codes{order}.npy", "--quantized-io")
        found.append(run_json(capsys, str(compiled), *inputs)["outputs_sha256"])
    assert found[:2] == found[2:]
    assert found[0] != found[1]


def test_random_samples_are_called_that(
    compiled: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "random.pt2"
    assert main(["compile", f"{folder}/net.py:make", "-o", str(file)]) == 0
    for model in (file, compiled):
        capsys.readouterr()
        assert main(["run", str(model)]) == 0
        out = capsys.readouterr().out
        assert "8 seeded random samples, not representative (give --inputs)" in out
        assert "random samples: nothing to score" in out
        assert "agrees with float" not in out
        assert "below 10 dB" not in out


@pytest.mark.parametrize("factory", ["half", "double"])
def test_a_model_that_stays_on_the_host_has_no_hardware_score(
    folder: Path, factory: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run_json(capsys, f"{folder}/net.py:{factory}")
    assert found["layers"] == []
    assert found["accuracy"]["hardware"] is None
    assert found["agreement"] == {"qdq": 1.0, "hardware": None}
    assert main(["run", f"{folder}/net.py:{factory}"]) == 0
    out = capsys.readouterr().out
    assert "Q/DQ 100.00 %  hardware –" in out
    assert "Nothing runs on the accelerator" in out
    assert "call .float() on the model" in out


def test_a_fixed_batch_is_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = f"{folder}/net.py:static"
    found = run_json(capsys, model)
    assert found["samples"] == 4
    assert found["layers"][0]["macs"] == 12
    assert main(["run", model, "--batch", "4"]) == 2
    assert "batches of 2 only, not 4" in capsys.readouterr().err
    assert main(["run", model, "--samples", "3"]) == 2
    assert "a multiple of 2 samples" in capsys.readouterr().err


def test_trace_holds_every_tensor(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "traces"
    assert main(["run", f"{folder}/net.py:make", "--batch", "8", "--trace", str(path)]) == 0
    document = json.loads((path / "trace.json").read_text())
    assert set(document) == {*RUN_KEYS, "tensors", "calls"}
    assert document["source"] == "20 labelled samples of the model"
    assert document["quantized_io"] is False
    tensors = {item["name"]: np.load(path / item["file"]) for item in document["tensors"]}
    for item in document["tensors"]:
        array = tensors[item["name"]]
        assert (list(array.shape), str(array.dtype)) == (item["shape"], item["dtype"])
        assert array.shape[0] == 20
    whole = _lowered_trace(folder)
    assert tensors.keys() == whole.tensors.keys()
    for name, array in whole.tensors.items():
        assert np.array_equal(tensors[name], array)
    assert (path / "trace.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in path.iterdir()) == ["tensors", "trace.json", "trace.png"]
    capsys.readouterr()
    assert main(["run", f"{folder}/net.py:make", "--trace", str(path)]) == 2
    assert "exists and is not empty" in capsys.readouterr().err


def _lowered_trace(folder: Path):
    file = folder / "for_trace.qsim"
    assert main(["compile", f"{folder}/net.py:make", "-o", str(file)]) == 0
    return qsim.load(file).trace(_samples())


def test_report_is_one_self_contained_page(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = folder / "review.html"
    assert main(["run", f"{folder}/net.py:make", "--report", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    digest = re.search("sha256:([0-9a-f]{64})\n", capsys.readouterr().out).group(1)
    assert digest in text
    assert "<svg" in text
    assert f"qsim run {folder}/net.py:make" in text
    assert not re.search(r"(src|href)\s*=|@import|url\(|<script", text)


def test_inspect_shows_the_boundary(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["inspect", str(compiled)]) == 0
    assert "conv2d.correlation" in capsys.readouterr().out
    assert main(["inspect", str(compiled), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [
        *("file", "kind", "model", "target", "inputs", "outputs", "programs", "host_operators")
    ]
    assert found["inputs"][0]["codes"] == [-128, 127]
    assert found["inputs"][0]["scale"] > 0
    names = [call["name"] for call in found["programs"][0]["calls"]]
    assert names[:3] == ["conv2d.correlation", "conv2d.bias_add", "conv2d.requantize"]


def test_same_target_is_accepted_and_another_refused(
    compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(compiled), "--target", "tflite"]) == 0
    assert "seeded random samples" in capsys.readouterr().out
    assert main(["run", str(compiled), "--target", "q7"]) == 2
    assert "was compiled for tflite" in capsys.readouterr().err


def test_config_reaches_the_quantizer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = folder / "skip.toml"
    config.write_text('[modules."conv"]\nskip = true\n')
    found = run_json(capsys, f"{folder}/net.py:make", "--config", str(config))
    assert [item["layer"] for item in found["host_operators"]].count("conv") >= 1
    assert "conv" not in [layer["name"] for layer in found["layers"]]


def test_narrow_accumulator_is_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped = Path(qsim.__file__).parent / "targets" / "narrow20.toml"
    text = shipped.read_text(encoding="utf-8")
    tight = folder / "narrow12.toml"
    tight.write_text(re.sub(r"(?m)^bits = 20$", "bits = 12", text))
    arguments = (f"{folder}/net.py:make", "--target", str(tight))
    found = run_json(capsys, *arguments)
    hit = next(layer for layer in found["layers"] if layer["overflows"])
    assert hit["accumulator_bits_used"] > hit["accumulator_bits"] == 12
    assert hit["first_overflow"] is not None
    assert len(hit["first_overflow"]) == 1 + len(hit["shape"])
    assert main(["run", *arguments]) == 0
    out = capsys.readouterr().out
    assert f"saturated: {hit['name']} correlation (needs {hit['accumulator_bits_used']} bits" in (
        " ".join(out.split())
    )


def test_digits_is_right_on_real_data(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "digits")
    assert found["samples"] > 400
    assert found["accuracy"]["float"] >= 0.98
    assert found["accuracy"]["hardware"] >= 0.975
    assert found["host_operators"] == []
    assert sum(layer["macs"] for layer in found["layers"]) > 100_000
