"""Models: the built-in list, a user's factory, and how each thing that can go wrong reads."""

from __future__ import annotations

import hashlib
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

import qsim.models as models
from qsim.errors import InputError, ModelError
from tests.fresh import loaded
from tests.networks import IMAGES
from tests.networks import model as built

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = [known.name for known in IMAGES]
SEEDED = {  # operations of one sample, multiply and add as one, by the layers' shapes alone
    "resnet8": 12_501_632,
    "mobilenet_v1": 7_489_664,
    "ds_cnn": 2_656_768,
    "autoencoder": 264_192,
    "resnet18": 1_814_073_344,
    "mobilenet_v2": 300_774_272,
}
DIGESTS = {  # SHA-256, its first 16 digits
    "resnet8": "0a9a85fb84bca2a4",
    "mobilenet_v1": "9ef7b77fcbe80ea6",
    "ds_cnn": "c30b403cf22c4e36",
    "autoencoder": "f0509f15ce0daf48",
    "resnet18": "74f1a8edd042612d",
    "mobilenet_v2": "3fb227f38d00a637",
}
pytestmark = pytest.mark.usefixtures("one_thread")
HEAD = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(x)

x = torch.zeros(2, 4)
labels = torch.tensor([0, 1])
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write a user's file; each has its own name, because Python caches modules by path."""
    numbers = itertools.count()

    def to_file(body: str) -> Path:
        path = tmp_path / f"user{next(numbers)}.py"
        path.write_text(HEAD + body)
        return path

    return to_file


def refused(spec: str) -> str:
    with pytest.raises(ModelError) as caught:
        models.load(spec)
    line = str(caught.value)
    assert "\n" not in line
    assert caught.value.exit_status == 2
    return line


def test_names() -> None:
    seeded = ["resnet8", "mobilenet_v1", "ds_cnn", "autoencoder", "resnet18", "mobilenet_v2"]
    assert NAMES == ["digits", *seeded] == ["digits", *SEEDED]
    words = ["bert-tiny", "gpt2-tiny", "llama-tiny", "minilm"]
    assert [known.name for known in models.builtin()] == [*NAMES, *words]
    assert all(known.description and "\n" not in known.description for known in models.builtin())


@pytest.mark.parametrize("known", IMAGES, ids=NAMES)
def test_builtin(known: models.Builtin) -> None:
    model = built(known.name)
    assert model.name == known.name
    assert sum(p.numel() for p in model.module.parameters()) == known.parameters
    assert not model.module.training
    assert model.calibration
    assert model.samples
    inputs, _ = model.samples
    assert inputs.shape[1:] == model.example_inputs[0].shape[1:]
    assert all(batch.shape[1:] == inputs.shape[1:] for (batch,) in model.calibration)
    assert 0.0 <= float(inputs.min()) < float(inputs.max()) <= 1.0
    with torch.no_grad():
        logits = model.module(inputs[:9])
        for count in (0, 1, 3):
            alone = model.module(inputs[:count])
            assert alone.shape == (count, *logits.shape[1:])
    assert len(set(logits.argmax(1).tolist())) > 1


@pytest.mark.parametrize("name", SEEDED)
def test_seeded_weights_are_everybodys_and_alive(name: str) -> None:
    """The digest is what every processor makes: weights, statistics, calibration and samples."""
    found = built(name)
    assert found.samples
    assert found.samples[1] is None
    assert found.calibration
    digest = hashlib.sha256()
    tensors = [*found.module.state_dict().values(), *(batch for (batch,) in found.calibration)]
    for tensor in (*tensors, found.samples[0]):
        digest.update(tensor.numpy().tobytes())
    assert digest.hexdigest()[:16] == DIGESTS[name]
    norms = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)
    layers = [module for module in found.module.modules() if isinstance(module, norms)]
    hooks = [layer.register_forward_hook(check_alive) for layer in layers]
    with torch.no_grad():
        found.module(found.samples[0])
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize("name", ["digits", "resnet8"])
def test_the_callers_random_stream_is_undisturbed(name: str) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    models.load(name)
    assert torch.equal(torch.rand(3), expected)


def check_alive(_module: object, _inputs: object, output: torch.Tensor) -> None:
    assert 0.3 < float(output.std()) < 3.0
    # No channel that the ReLU always kills.
    assert (output.transpose(0, 1).flatten(1).amax(1) > 0).all()


@pytest.mark.parametrize("name", SEEDED)
def test_the_work_of_a_sample(name: str) -> None:
    """What the papers and torchvision state, from what runs."""
    found = 0

    def count(module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal found
        found += output[0].numel() * module.get_parameter("weight")[0].numel()

    model = built(name)
    layers = [
        m for m in model.module.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))
    ]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        model.module(*model.example_inputs)
    for hook in hooks:
        hook.remove()
    assert found == SEEDED[name]


def test_relu6_has_something_to_clip() -> None:
    model = built("mobilenet_v2")
    most = []
    hooks = [
        module.register_forward_hook(
            lambda _module, given, _out: most.append(float(given[0].max()))
        )
        for module in model.module.modules()
        if isinstance(module, torch.nn.ReLU6)
    ]
    assert model.samples
    with torch.no_grad():
        model.module(model.samples[0][:4])
    for hook in hooks:
        hook.remove()
    assert len(most) == 35
    assert sum(value > 6.0 for value in most) > 17


def test_calibration_shares_no_image_with_the_samples() -> None:
    for name in NAMES:
        model = built(name)
        assert model.calibration
        assert model.samples
        seen = {image.numpy().tobytes() for (batch,) in model.calibration for image in batch}
        shared = [image for image in model.samples[0] if image.numpy().tobytes() in seen]
        assert len(shared) == 0
        assert len(seen) == sum(len(batch) for (batch,) in model.calibration)


def test_listing_is_light() -> None:
    code = "import qsim.models as m; m.builtin(); m.Model"
    assert loaded(code, "torch", "numba", "numpy", "sklearn", "transformers") == []


@pytest.mark.parametrize(
    ("result", "calibration", "labels"),
    [
        ("Net(), (x,)", None, None),
        ("Net(), [x]", None, None),
        ("Net(), x", None, None),
        ("Net(), (x,), None", None, None),
        ("Net(), (x,), [(x,), (x,)]", 2, None),
        ("Net(), (x,), [x, x, x]", 3, None),
        ("Net(), (x,), None, (x, labels)", None, [0, 1]),
        ("Net(), (x,), [(x,)], (x, [1, 2])", 1, [1, 2]),
        ("Net(), (x,), [(x,)], (x, None)", 1, None),
    ],
)
def test_forms_of_a_factory(
    write: Callable[[str], Path], result: str, calibration: int | None, labels: list[int] | None
) -> None:
    path = write(f"def make():\n    return {result}\n")
    model = models.load(f"{path}:make")
    assert model.name == path.stem
    assert [t.shape for t in model.example_inputs] == [(2, 4)]
    assert (len(model.calibration) if model.calibration else None) == calibration
    found = model.samples[1] if model.samples else None
    assert (found.tolist() if found is not None else None) == labels
    assert model.module(*model.example_inputs).shape == (2, 3)


def test_a_factory_may_return_a_model(write: Callable[[str], Path]) -> None:
    body = (
        "from qsim.models import Model\ndef make():\n    return Model(Net(), (x,), name='mine')\n"
    )
    assert models.load(f"{write(body)}:make").name == "mine"


def test_package_module_factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "mypackage_for_qsim"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "nets.py").write_text(HEAD + "def make():\n    return Net(), (x,)\n")
    monkeypatch.chdir(tmp_path)  # as python -m does, the working folder is importable
    before = list(sys.path)
    assert models.load("mypackage_for_qsim.nets:make").name == "make"
    assert sys.path == before
    assert "'mak'" in refused("mypackage_for_qsim.nets:mak")
    assert "there is no module 'mypackage_for_qsim.net'" in refused("mypackage_for_qsim.net:make")


def test_errors_below_a_module_name_the_users_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "import json\ndef make():\n    return json.loads('{')\n"
    (tmp_path / "fails_for_qsim.py").write_text(body)
    monkeypatch.chdir(tmp_path)
    line = refused("fails_for_qsim:make")
    assert line.startswith(f"{tmp_path / 'fails_for_qsim.py'}:3: JSONDecodeError: Expecting")


def test_a_file_may_import_its_neighbours(write: Callable[[str], Path]) -> None:
    helper = write("def net():\n    return Net(), (x,)\n")
    path = write(f"from {helper.stem} import net\ndef make():\n    return net()\n")
    try:
        assert models.load(f"{path}:make").example_inputs[0].shape == (2, 4)
    finally:
        sys.modules.pop(helper.stem)


def test_output_of_a_factory_goes_to_stderr(
    write: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write("def make():\n    print(1234)\n    return Net(), (x,)\n")
    models.load(f"{path}:make")
    out, err = capsys.readouterr()
    assert out == ""
    assert "1234" in err


@pytest.mark.parametrize(
    ("spec", "first"),
    [
        ("digit", "digits"),
        ("resnet", "resnet8"),
        ("mobilenet_v3", "mobilenet_v2"),
        ("ds_cn", "ds_cnn"),
    ],
)
def test_unknown_names_list_the_closest_first(spec: str, first: str) -> None:
    line = refused(spec)
    assert f"there is no model {spec!r}" in line
    assert line.partition("(accepted: ")[2].startswith(first)


@pytest.mark.parametrize("spec", ["", ":", "a:", ":b", "x.py", "x" * 5000, "\0", "digits "])
def test_odd_specs(spec: str) -> None:
    assert len(refused(spec)) < 12000


def test_missing_file_and_module() -> None:
    assert refused("/nowhere/net.py:make").startswith("/nowhere/net.py: there is no such file")
    assert "there is no module 'nowhere'" in refused("nowhere.net:make")
    assert refused("a\0b.py:make")
    assert refused("..:make")
    assert refused("x y:make")


def test_missing_factory_names_the_closest(write: Callable[[str], Path]) -> None:
    path = write("def make_small(): ...\ndef make_large(): ...\nvalue = 3\n")
    line = refused(f"{path}:make_lage")
    assert "'make_lage' does not exist" in line
    assert "(accepted: make_large" in line
    assert "'value' is not callable" in refused(f"{path}:value")


@pytest.mark.parametrize(
    ("body", "message", "offset"),
    [
        ("def make():\n    raise ValueError('no\\nweights')\n", "ValueError: no weights", 2),
        ("def make():\n    return 1 / 0\n", "ZeroDivisionError: division by zero", 2),
        ("def make():\n    raise SystemExit(3)\n", "SystemExit: 3", 2),
        ("def make():\n    assert False\n", "AssertionError", 2),
        ("def make():\n    return torch.zeros(2) @ torch.zeros(3)\n", "RuntimeError: ", 2),
        ("def make(size):\n    return Net(), (x,)\n", "TypeError: make() missing 1", None),
        ("import nothing_of_that_name\n", "ModuleNotFoundError: ", 1),
        ("def make(:\n", "SyntaxError: ", 1),
        ("def make():\n    return helper()\ndef helper():\n    return missing\n", "NameError", 4),
    ],
)
def test_errors_in_a_factory_name_its_line(
    write: Callable[[str], Path], body: str, message: str, offset: int | None
) -> None:
    path = write(body)
    line = refused(f"{path}:make")
    assert message in line
    place = f"{path}:{HEAD.count(chr(10)) + offset}: " if offset else f"{path}:make: "
    assert line.startswith(place)


def test_qsim_errors_pass_through(write: Callable[[str], Path]) -> None:
    path = write("from qsim.errors import InputError\ndef make():\n    raise InputError('mine')\n")
    with pytest.raises(InputError, match=r"^mine$"):
        models.load(f"{path}:make")


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ("None", "returned None"),
        ("Net()", ".Net"),
        ("(Net(),)", "a tuple of 1"),
        ("(Net(), (x,), None, None, None)", "a tuple of 5"),
        ("('net', (x,))", "module is a builtins.str"),
        ("(Net, (x,))", "module is a builtins.type"),
        ("(Net(), ())", "example_inputs are a tuple of 0"),
        ("(Net(), (1.0,))", "example_inputs are a tuple of 1"),
        ("(Net(), None)", "example_inputs are None"),
        ("(Net(), (torch.tensor(1.0),))", "hold a scalar"),
        ("(Net(), (x,), x)", "calibration is a torch.Tensor"),
        ("(Net(), (x,), [])", "calibration is a builtins.list"),
        ("(Net(), (x,), [3])", "calibration batches are a builtins.int"),
        ("(Net(), (x,), None, x)", "samples are a torch.Tensor"),
        ("(Net(), (x,), None, (x, x))", "labels have shape (2, 4) and type torch.float32"),
        ("(Net(), (x,), None, (x, labels[:1]))", "labels have shape (1,)"),
        ("(Net(), (x,), None, (x, ['a', 'b']))", "labels are a builtins.list"),
        ("(Net(), (x,), None, ([1], labels))", "sample inputs are a builtins.list"),
    ],
)
def test_wrong_returns(write: Callable[[str], Path], result: str, message: str) -> None:
    path = write(f"def make():\n    return {result}\n")
    spec = f"{path}:make"
    line = refused(spec)
    assert line.startswith(f"{spec}: the factory")
    assert message in line
    assert "(accepted: " in line


def test_samples_of_several_inputs(tmp_path: Path) -> None:
    file = tmp_path / "two.py"
    file.write_text(
        "import torch\n"
        "class Two(torch.nn.Module):\n"
        "    def forward(self, a, b):\n"
        "        return a + b\n"
        "def good():\n"
        "    x = torch.ones(6, 3)\n"
        "    return Two(), (x[:1], x[:1]), None, ((x, x), [0] * 6)\n"
        "def bad():\n"
        "    x = torch.ones(6, 3)\n"
        "    return Two(), (x[:1], x[:1]), None, ((x, x[:5]), [0] * 6)\n"
    )
    model = models.load(f"{file}:good")
    assert model.samples is not None
    inputs, labels = model.samples
    assert isinstance(inputs, tuple)
    assert [tuple(x.shape) for x in inputs] == [(6, 3), (6, 3)]
    assert labels is not None
    with pytest.raises(ModelError, match=r"sample inputs hold \[5, 6\] samples"):
        models.load(f"{file}:bad")


def test_seeded_models_do_not_depend_on_threads() -> None:
    threads = torch.get_num_threads()
    made = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            made.append(models.load("mobilenet_v1"))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    one, two = (model.module.state_dict() for model in made)
    assert all(torch.equal(one[name], two[name]) for name in one)
    first, second = (model.samples[0] for model in made if model.samples is not None)
    assert isinstance(first, torch.Tensor)
    assert isinstance(second, torch.Tensor)
    assert torch.equal(first, second)
