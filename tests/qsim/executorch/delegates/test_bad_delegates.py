"""What a ``.pte`` may hold of our delegates, and take: anything else is one line, exit status 2."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from qsim import Target
from qsim.errors import FileFormatError, InputError, QsimError
from qsim.executorch import Pte, run_edge, to_edge
from qsim.executorch.delegates.specs import encode
from qsim.executorch.interpreter import Interpreter
from qsim.executorch.pte import Method
from tests.qsim.executorch.edges import network

pytestmark = pytest.mark.usefixtures("one_thread")


@cache
def edge() -> Any:
    source, _ = network("TwoInputs", "q7")
    return to_edge(source)


@cache
def program() -> bytes:
    return bytes(edge().to_pte())


def inputs() -> list[torch.Tensor]:
    return [torch.zeros(spec.sizes, dtype=spec.dtype) for spec in Pte(program()).inputs]


def method(**changes: Any) -> Method:
    """Return the program's method, its only delegate changed."""
    found = Pte(program())._methods["forward"]
    (delegate,) = found.delegates
    return replace(found, delegates=(replace(delegate, **changes),))


def blob() -> bytes:
    (delegate,) = Pte(program())._methods["forward"].delegates
    return bytes(delegate.blob)


def check(error: QsimError) -> None:
    assert error.exit_status == 2
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'\\"format_version\\":1', b'\\"format_version\\":7', "written by format 7; this qsim "),
        (
            b'\\"name\\":\\"q7\\"',
            b'\\"name\\":\\"q8\\"',
            "qsim delegate: the SHA-256 does not match",
        ),
    ],
)
def test_a_blob_of_another_version_or_damaged(old: bytes, new: bytes, message: str) -> None:
    assert program().count(old) == 1
    with pytest.raises(FileFormatError, match=message) as caught:
        Pte(program().replace(old, new))(*inputs())
    check(caught.value)


def test_a_blob_for_another_target_than_the_specs_state() -> None:
    other = method(compile_specs=encode(Target.load("tflite")))
    with pytest.raises(
        FileFormatError, match=r"made for target q7 .*its compile specs state sha"
    ) as caught:
        Interpreter(other).run(inputs())
    check(caught.value)


def test_a_hash_that_is_not_the_stated_targets() -> None:
    hashed = Target.load("q7").hash.encode()
    at = program().index(hashed)  # in the compile specs; the delegate's bytes come later
    changed = bytearray(program())
    changed[at + 9] ^= 1
    with pytest.raises(
        FileFormatError, match=r"state the hash sha256:.*their target has"
    ) as caught:
        Pte(bytes(changed))(*inputs())
    check(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("qsim.format", b"2", "made for format '2'"),
        ("qsim.format", None, "the keys are"),
        ("more", b"", "the keys are"),
        ("qsim.target", b"", "compile specs of a qsim delegate"),
    ],
)
def test_compile_specs_of_another_form(key: str, value: bytes | None, message: str) -> None:
    specs = {**encode(Target.load("q7")), key: value}
    kept = {name: each for name, each in specs.items() if each is not None}
    with pytest.raises(FileFormatError, match=message) as caught:
        Interpreter(method(compile_specs=kept)).run(inputs())
    check(caught.value)


@pytest.mark.parametrize("size", [0, 1, 7, 100])
def test_a_blob_that_ends_early(size: int) -> None:
    with pytest.raises(FileFormatError, match="qsim delegate") as caught:
        Interpreter(method(blob=blob()[:size])).run(inputs())
    check(caught.value)


BAD_INPUTS = [
    (lambda x, y: (x,), "1 inputs"),
    (lambda x, y: (x, y, y), "3 inputs"),
    (lambda x, y: (x, y.double()), "float64"),
    (lambda x, y: (x.int(), y), "int32"),
    (lambda x, y: (x[0], y), r"\[8\]|\(8,\)"),
    (lambda x, y: (x, torch.cat([y, y], 1)), r"16"),
    (lambda x, y: (torch.cat([x, x]), torch.cat([y, y])), r"shape|\[2, 8\]|\[4, 8\]"),
    (lambda x, y: (x, None), "NoneType|1 inputs"),
    (lambda x, y: (x, "y"), "str"),
]


@pytest.mark.parametrize("run", ["pte", "edge"])
@pytest.mark.parametrize(("change", "message"), BAD_INPUTS)
def test_inputs_of_another_number_type_or_shape(run: str, change: Any, message: str) -> None:
    given = change(*inputs())
    with pytest.raises(InputError, match=message) as caught:
        _ = Pte(program())(*given) if run == "pte" else run_edge(edge().manager, *given)
    check(caught.value)
