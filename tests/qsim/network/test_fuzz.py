"""Mutated ``.qsim`` files: refused in one line, or a network that runs. Never a traceback or hang.

Byte mutations exercise the reader; structural ones come with a digest that matches, so that the
validation behind it is exercised too.
"""

from __future__ import annotations

import copy
import faulthandler
import json
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from qsim.errors import QsimError
from qsim.network import reading, store
from qsim.network.document import to_document
from qsim.network.lowered import Lowered
from qsim.network.steps import ValueSpec
from tests.qsim.network import nets as net

# How many mutations: of bytes, of the structure.
BYTES = [400, pytest.param(2000, marks=pytest.mark.soak)]
STRUCTURES = [250, pytest.param(1000, marks=pytest.mark.soak)]
MAX_ELEMENTS = 1 << 20


@contextmanager
def watchdog(seconds: int) -> Iterator[None]:
    """Fail, with every thread's stack, where the body hangs; a stuck C call is killed later."""

    def hung(signum: int, frame: object) -> None:
        raise TimeoutError(f"a mutation took more than {seconds} s")

    old = signal.signal(signal.SIGALRM, hung)
    faulthandler.dump_traceback_later(seconds + 30, exit=True)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, old)


def valid_input(spec: ValueSpec) -> np.ndarray | None:
    """Return an input of batch 2, or None where it would be too large for a test."""
    shape = tuple(2 if size == -1 else size for size in spec.shape)
    if np.prod([float(size) for size in shape]) > MAX_ELEMENTS or spec.dtype == "bfloat16":
        return None
    if spec.format is not None:
        return np.zeros(shape, spec.dtype)
    return np.linspace(-3, 3, int(np.prod(shape))).reshape(shape).astype(spec.dtype)


def largest(network: Lowered) -> float:
    shapes = [spec.shape for program in network.programs for spec in program.tensors.values()]
    return max((float(np.prod([abs(float(s)) for s in shape])) for shape in shapes), default=0)


def one_line(error: QsimError, result: str) -> str:
    return result if "\n" not in str(error) else "several lines"


def outcome(data: bytes) -> str:
    """Load and run; only QsimError may come out."""
    try:
        network = reading.from_bytes(data)
    except QsimError as error:
        return one_line(error, "refused")
    inputs = [valid_input(spec) for spec in network.inputs]
    if any(array is None for array in inputs) or largest(network) > MAX_ELEMENTS:
        return "large"
    try:
        network(*inputs)
    except QsimError as error:
        return one_line(error, "failed")
    return "ran"


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    raw = bytearray(data)
    # Half of the mutations hit the header, which is where the structure is.
    end = len(raw) if rng.random() < 0.5 else int.from_bytes(data[:8], "little") + 8
    at = rng.randrange(end)
    match rng.randrange(6):
        case 0:
            raw[at] ^= 1 << rng.randrange(8)
        case 1:
            raw[at : at + rng.randrange(1, 9)] = rng.randbytes(rng.randrange(1, 9))
        case 2:
            del raw[rng.randrange(len(raw)) :]
        case 3:
            raw[at:at] = rng.randbytes(rng.randrange(1, 65))
        case 4:
            del raw[at : at + rng.randrange(1, 65)]
        case _:
            size, other = rng.randrange(1, 200), rng.randrange(len(raw))
            raw[at : at + size], raw[other : other + size] = (
                raw[other : other + size], raw[at : at + size],
            )  # fmt: skip
    return bytes(raw)


@pytest.mark.parametrize("count", BYTES)
def test_mutated_bytes_are_refused(count: int) -> None:
    rng = random.Random(20240701)  # noqa: S311 - reproducible mutations
    data = store.to_bytes(net.lowered(host=True))
    assert outcome(data) == "ran"
    changed = 0
    with watchdog(60):
        for _ in range(count):
            mutated = mutate_bytes(data, rng)
            if mutated != data:
                changed += 1
                assert outcome(mutated) == "refused"
    assert changed > 0.9 * count


VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 7, 8, 31, 32, 64, 255, -128, 1 << 31, 1 << 62, -(1 << 63)),
    *((1 << 64) - 1, 0.0, -0.0, 0.5, 1e-45, 1e300, -1.5, "", "x", "conv", "error", "saturate"),
    *("mac", "aten.relu.default", "aten.add.Tensor", "uint8", "float64", "stochastic", "single"),
    *([], {}, [0], [-1], [1, 2], [[1, 1], [1, 1]], {"constant": "conv.bias"}, {"tensor": "x"}),
    *({"constant": "fc.multiplier"}, {"kind": "power_of_two", "right_shift": 3}, [0, 3, 1, 2]),
]


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) of a JSON tree."""
    found: list[tuple[Any, Any]] = []
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        found.append((tree, key))
        if isinstance(value, (dict, list)):
            found.extend(places(value))
    return found


def mutate_tree(document: dict[str, Any], rng: random.Random) -> None:
    body = {k: v for k, v in document.items() if k != "target" or rng.random() < 0.05}
    spots = places(body)
    container, key = rng.choice(spots)
    if container is body:
        container = document
    other_container, other_key = rng.choice(spots)
    match rng.randrange(6):
        case 0 | 1:
            container[key] = copy.deepcopy(rng.choice(VALUES))
        case 2:
            value = container[key]
            nudged = type(value) in (int, float)
            container[key] = value + rng.choice((-1, 1)) if nudged else [copy.deepcopy(value)]
        case 3:
            del container[key]
        case 4:
            container[key] = copy.deepcopy(other_container[other_key])
        case _:
            if isinstance(container, list):
                rng.shuffle(container)
            else:
                container[str(rng.choice(VALUES))] = copy.deepcopy(container[key])


def mutate_arrays(arrays: dict[str, np.ndarray], rng: random.Random) -> None:
    name = rng.choice(sorted(arrays))
    array = arrays[name]
    changes: list[Callable[[], np.ndarray]] = [
        lambda: array.astype(rng.choice(["int8", "int64", "float32", "uint16", "bool"])),
        lambda: array.reshape(-1),
        lambda: array[:0],
        lambda: array[:1],
        lambda: np.array(3),
        lambda: array[None],
        lambda: np.full_like(array, np.iinfo(array.dtype).max if array.dtype.kind in "iu" else 1),
    ]
    arrays[name] = np.ascontiguousarray(rng.choice(changes)())


def add_network() -> Lowered:
    """A network with the primitives that the small one lacks."""
    import dataclasses

    from hw_models.add import ShiftedAdd
    from qsim.program.program import Call
    from qsim.program.schemes import encode_scheme

    constants = net.constants()
    scheme = encode_scheme(ShiftedAdd.from_scales(0.1, 0.2, 0.3), "add", constants)
    points = {"a_zero_point": -2, "b_zero_point": -2, "zero_point": -2}
    add = {"scheme": scheme, **points, "output": net.OUT, "clamp": None}
    pool = {
        "kernel": None, "stride": None, "padding": 0, "rounding": "half_away",
        "count_include_pad": False, "ceil_mode": False, "zero_point": -2,
    }  # fmt: skip
    product = {"a_zero_point": 0, "b_zero_point": 0, "accumulator": net.ACC | {"at": "mac"}}
    more = (
        Call("sum.add", "sum", "add", ("conv", "relu"), "added", add),
        Call("mean.avg_pool", "mean", "avg_pool", ("added",), "mean", pool),
        Call("mm.matmul", "mm", "matmul", ("fc", "square"), "mm", product),
    )
    constants["square"] = np.eye(5, dtype=np.int8)
    tensors = net.tensors() | {
        "added": net.spec("added", 4, 6, 6),
        "mean": net.spec("mean", 4, 1, 1),
        "mm": net.spec("mm", 5, codes=net.INT32),
    }
    program = net.program(
        calls=(*net.calls(), *more), constants=constants, tensors=tensors,
        outputs=("fc", "mean", "mm"),
    )  # fmt: skip
    first, middle, *rest = net.steps(host=True)
    outputs = ("fc.codes", "mean.codes", "mm.codes")
    steps = (first, dataclasses.replace(middle, outputs=outputs), *rest)
    return net.lowered(host=True, programs=(program,), steps=steps)


@pytest.mark.parametrize("count", STRUCTURES)
def test_mutated_structures_are_refused_or_run(count: int) -> None:
    rng = random.Random(77)  # noqa: S311 - reproducible mutations
    document, arrays = to_document(add_network())
    text = json.dumps({"format_version": 1, **document})
    seen: dict[str, int] = {}
    with watchdog(100):
        for _ in range(count):
            tree, held = json.loads(text), dict(arrays)
            for _ in range(rng.choice((1, 1, 1, 2, 3))):
                mutate_tree(tree, rng)
            if rng.random() < 0.15:
                mutate_arrays(held, rng)
            result = outcome(store.pack(tree, held))
            seen[result] = seen.get(result, 0) + 1
    assert set(seen) <= {"refused", "failed", "ran", "large"}
    # Both sides must be exercised, or the mutations are too coarse or too fine.
    assert seen["refused"] > count // 3
    assert seen["ran"] > count // 50


def test_the_watchdog_fails_a_hang() -> None:
    with pytest.raises(TimeoutError), watchdog(1):
        time.sleep(30)
