"""Networks of any length within bounds: functions of the length, files, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hw_models as hw
from qsim.errors import FileFormatError, InputError, ModelError, UsageError
from qsim.network import Lengths, fit_lengths, further_lengths, length_points, load
from qsim.network.document import to_document
from qsim.network.lengths.saved import from_document
from qsim.network.lengths.sizes import Size, fitted
from qsim.network.lowered import Lowered
from qsim.network.steps import Step, ValueSpec
from qsim.network.store import FORMAT_VERSION, pack, unpack
from qsim.program.program import Call, Program, TensorSpec
from qsim.target import Target

ROOT = Path(__file__).parents[3]
INT8 = hw.FixedFormat(8)
OUT = {"bits": 8, "signed": True, "narrow": False}
POSITIONS = np.arange(-20, 20, dtype=np.int8).reshape(10, 4)
LEAST, MOST = 1, 9


def scheme(length: int) -> dict[str, Any]:
    """The multiplier of a mean over a sequence: no function gives it."""
    return {
        "kind": "fixed_point",
        "multiplier": (1 << 30) // length,
        "right_shift": 30,
        "rounding": "double",
        "bits": 32,
    }


def stated(call: str, field: str, length: int) -> Any:
    return scheme(length) if (call, field) == ("average", "scheme") else None


def network(s: int, *, positions: np.ndarray | None = None, first: int | None = None) -> Lowered:
    """A network that was lowered for one length."""
    held = POSITIONS[:s] if positions is None else positions
    mean = {
        "scheme": scheme(s),
        "axes": [1],
        "keepdims": False,
        "x_zero_point": 0,
        "zero_point": 0,
        "output": OUT,
        "clamp": None,
    }
    taken = {
        "starts": [0, s - 1 if first is None else first, 0],
        "steps": [1, 1, 1],
        "sizes": [-1, 1, 4],
    }
    calls = (
        Call("least", "embed", "minimum", ("x", "positions"), "low", {}),
        Call("flatten", "", "reshape", ("low",), "flat", {"shape": [0, 4 * s]}),
        Call("take", "", "strided_slice", ("low",), "last", taken),
        Call("average", "pool", "mean", ("low",), "mean", mean),
    )
    shapes = {"x": (s, 4), "low": (s, 4), "flat": (4 * s,), "last": (1, 4), "mean": (4,)}
    specs = {name: TensorSpec(name, (-1, *shape), INT8, 0.5) for name, shape in shapes.items()}
    results = ("flat", "last", "mean")
    program = Program("program0", ("x",), results, specs, {"positions": held}, calls)
    scale = {"scale": 0.5, "zero_point": 0, "output": OUT, "formula": "reciprocal"}
    scale["formula"] = Target.load("tflite").quantize.formula
    return Lowered(
        Target.load("tflite"),
        [ValueSpec("x", (-1, s, 4))],
        [ValueSpec(f"{name}.real", (-1, *shapes[name])) for name in results],
        [
            Step("quantize", "x.codes", ("x",), ("x.codes",), scale),
            Step("program", "program0", ("x.codes",), results, {"program": 0}),
            *(Step("dequantize", f"{n}.real", (n,), (f"{n}.real",), scale) for n in results),
        ],
        [program],
        model="sequence",
    )


def free(least: int = LEAST, most: int = MOST) -> Lowered:
    members = {s: network(s) for s in length_points(least, most)}
    lengths = fit_lengths(members, least, [(0, 1)], stated)
    made = network(most)
    made.free(lengths)
    return made


NETWORK = free()


def reals(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32) * 8


@pytest.mark.parametrize(
    ("function", "size"),
    [
        (lambda s: 3 * s - 2, Size(0, 3, -2)),
        (lambda s: s * s + s, Size(1, 1, 0)),
        (lambda s: s * (s + 1) // 2, Size(1, 1, 0, 2)),
        (lambda s: (s + 1) // 2, Size(0, 1, 1, 2)),
        (lambda s: (s - 3) // 2 + 1, Size(0, 1, -1, 2)),
        (lambda s: s**3, None),
        (lambda s: 100 if s == 9 else s, None),
    ],
)
def test_sizes_are_fitted(function: Any, size: Size | None) -> None:
    at = (1, 2, 4, 9)
    assert fitted(at, [function(s) for s in at]) == size
    if size is not None:
        assert all(size.at(s) == function(s) for s in range(3, 40))


def test_every_length_is_the_network_lowered_for_it() -> None:
    fitted_at = (*length_points(LEAST, MOST), *further_lengths(LEAST, MOST))
    assert len(set(fitted_at)) < MOST  # some were never seen
    sizes = []
    for s in range(LEAST, MOST + 1):
        alone, x = network(s), reals(2, s, 4)
        assert NETWORK.at(s).digest == alone.digest
        for ours, theirs in zip(NETWORK(x), alone(x), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(NETWORK.trace(x).outputs[0], alone(x)[0])
        sizes.append(NETWORK.at(s).programs[0].plan().size)
    assert max(sizes) == sizes[-1] == NETWORK.programs[0].plan().size  # planned for the bound


def test_specs_show_what_is_free() -> None:
    assert NETWORK.inputs[0].free == ((1, 1, 9),)
    assert [spec.free for spec in NETWORK.outputs] == [((1, 4, 36),), (), ()]
    assert str(NETWORK.lengths) == "1..9"
    assert NETWORK.at(3).inputs[0].free == ()


def test_kept_networks_are_few() -> None:
    made = free()
    first = made.at(1)
    assert made.at(1) is first
    for s in range(1, 10):
        made.at(s)
    assert made.at(1) is not first
    assert made.at(9) is made.at(9)


@pytest.mark.parametrize(
    ("shape", "line"),
    [
        (
            (2, 10, 4),
            "input 'x': a sequence of length 10 in dimension 1 (accepted: lengths 1 to 9)",
        ),
        ((2, 0, 4), "input 'x': an empty sequence in dimension 1 (accepted: lengths 1 to 9)"),
        ((10, 4), "input 'x': shape must be [N, 1..9, 4], not [10, 4] (accepted: [N, 1..9, 4])"),
        ((2, 3, 5), "input 'x': shape must be [N, 3, 4], not [2, 3, 5]"),
    ],
)
def test_refuses_sequences_beyond_its_bounds(shape: tuple[int, ...], line: str) -> None:
    with pytest.raises(InputError) as error:
        NETWORK(np.zeros(shape, np.float32))
    assert str(error.value).startswith(line)


def test_refuses_one_below_the_least() -> None:
    with pytest.raises(InputError, match=r"of length 1 in dimension 1 .accepted: lengths 2 to 9"):
        free(2)(np.zeros((1, 1, 4), np.float32))


def test_asks_for_lengths_that_it_has() -> None:
    for length in (0, 10, "3", True):
        with pytest.raises(UsageError, match=r"accepted: 1 to 9"):
            NETWORK.at(length)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="its shapes are fixed"):
        network(3).at(3)


def test_inputs_have_one_length() -> None:
    two = Lengths(1, 1, 9, ((0, 1), (1, 1)), {}, {}, {})
    specs = [ValueSpec(name, (-1, 9)) for name in "ab"]
    with pytest.raises(InputError, match="of length 4 beside one of 3 in input 'a'"):
        two.of([(1, 3), (1, 4)], specs)


def test_integers_that_are_no_function_are_refused() -> None:
    members = {s: network(s, first=min(s * s * s, s - 1) % 5) for s in (1, 2, 4, 9)}
    with pytest.raises(
        ModelError, match=r"call 'take' .*: starts is 0, 1, 3, 3 at lengths 1, 2, 4, 9"
    ):
        fit_lengths(members, 1, [(0, 1)], stated)


def test_a_mean_without_its_derivation_is_refused() -> None:
    members = {s: network(s) for s in (1, 2, 4, 9)}
    with pytest.raises(ModelError, match=r"pool: call 'average' .*: multiplier is "):
        fit_lengths(members, 1, [(0, 1)], lambda *_: None)


def test_constants_that_are_no_part_are_refused() -> None:
    members = {s: network(s, positions=POSITIONS[-s:]) for s in (1, 2, 4, 9)}
    with pytest.raises(
        ModelError, match="constant 'positions': at length 1 is no part of that at 9"
    ):
        fit_lengths(members, 1, [(0, 1)], stated)


def test_files_hold_one_network(tmp_path: Path) -> None:
    NETWORK.save(tmp_path / "free.qsim")
    network(MOST).save(tmp_path / "fixed.qsim")
    again = load(tmp_path / "free.qsim")
    assert again.digest == NETWORK.digest
    assert again.lengths == NETWORK.lengths
    assert again.inputs == NETWORK.inputs
    again.save(tmp_path / "again.qsim")
    assert (tmp_path / "again.qsim").read_bytes() == (tmp_path / "free.qsim").read_bytes()
    sizes = [(tmp_path / f"{name}.qsim").stat().st_size for name in ("free", "fixed")]
    assert sizes[0] < 1.5 * sizes[1]


def test_runs_in_a_fresh_process_without_torch(tmp_path: Path) -> None:
    NETWORK.save(tmp_path / "free.qsim")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np, qsim\n"
        "net = qsim.load('free.qsim')\n"
        "np.savez('y.npz', *[net(np.load(f'x{s}.npy'))[2] for s in (1, 7)])\n"
    )
    for s in (1, 7):
        np.save(tmp_path / f"x{s}.npy", reals(2, s, 4))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "y.npz") as made:
        for name, s in (("arr_0", 1), ("arr_1", 7)):
            np.testing.assert_array_equal(made[name], NETWORK(reals(2, s, 4))[2])


def test_the_digest_covers_lengths() -> None:
    assert NETWORK.quantized_io().digest == NETWORK.digest
    assert NETWORK.quantized_io().inputs[0].free == ((1, 1, 9),)
    assert len({NETWORK.digest, free(2).digest, free(1, 8).digest, network(9).digest}) == 4
    held = NETWORK.lengths
    assert held is not None
    ((path, table),) = held.tables.items()
    for at in range(LEAST, MOST + 1):  # also where no function is fitted
        changed = [*table]
        changed[at - LEAST] = scheme(at + 1)
        other = network(MOST)
        other.free(Lengths(1, 1, 9, held.axes, held.sizes, held.windows, {path: tuple(changed)}))
        assert other.digest != NETWORK.digest


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"least": 0}, "lengths must be bounds"),
        ({"most": 1}, "lengths must be bounds"),
        ({"axes": []}, "lengths must have axes"),
        ({"axes": [[0, 2]]}, "an axis must be a size of its input"),
        ({"sizes": [[["inputs", 0, 1], [0, 1, 0, 0]]]}, "a size must be a function of the length"),
        ({"sizes": [[["inputs", 0, 1], [0, 2, 0, 2]]]}, "a size must be the simplest function"),
        ({"sizes": [[["inputs"], [0, 1, 0, 1]]]}, "a place must be a list"),
        ({"sizes": 3}, "lengths must be lists"),
        ({"tables": [[["calls", 0, "average", "scheme"], [1]]]}, "an entry for each length"),
    ],
)
def test_documents_are_checked(change: dict[str, Any], line: str) -> None:
    document: Any = to_document(NETWORK)[0]["lengths"]
    assert from_document(document) == NETWORK.lengths
    with pytest.raises(ModelError, match=line):
        from_document(document | change)


def test_files_that_say_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "free.qsim"
    NETWORK.save(path)
    document, arrays = unpack(path.read_bytes())
    assert load(path).digest == NETWORK.digest
    document["lengths"]["sizes"] = [
        [place, [0, 1, 1, 1] if place[0] == "tensors" else size]
        for place, size in document["lengths"]["sizes"]
    ]
    path.write_bytes(pack({"format_version": FORMAT_VERSION, **document}, arrays))
    with pytest.raises(FileFormatError):
        load(path)
