"""A delegate's bytes, its compile specs, and what is refused of either."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

from qsim import Target, lower, quantize
from qsim.errors import FileFormatError, InputError, ModelError
from qsim.executorch import QsimBackend, run_edge
from qsim.executorch.delegates import open_blob, run_blob
from qsim.executorch.delegates.specs import decode, encode, to_toml
from qsim.network.reading import from_bytes
from tests.qsim.executorch.edges import batches, lowered_edge, network, same, to_edge
from tests.qsim.lowering.models import build, examples

pytestmark = pytest.mark.usefixtures("one_thread")


@cache
def delegate() -> tuple[bytes, dict[str, bytes]]:
    """Return the bytes and compile specs of a network that is one delegate."""
    source, _ = network("ConvNet", "tflite")
    manager, _ = lowered_edge(source, max_batch=4)
    module = manager.exported_program().graph_module.lowered_module_0
    return module.processed_bytes, {spec.key: spec.value for spec in module.compile_specs}


def test_the_bytes_are_a_qsim_file_of_the_target() -> None:
    source, lowered = network("ConvNet", "tflite")
    blob, specs = delegate()
    held = from_bytes(blob)
    assert held.target.hash == source.target.hash
    assert specs["qsim.target_hash"].decode() == source.target.hash
    assert {step.kind for step in held.steps} == {"quantize", "program", "dequantize"}
    primitives = [[c.primitive for c in p.calls] for p in held.programs]
    assert primitives == [[c.primitive for c in p.calls] for p in lowered.programs]


def test_the_same_network_gives_the_same_bytes() -> None:
    source, _ = network("ConvNet", "tflite")
    manager, _ = lowered_edge(source, max_batch=4)
    assert manager.exported_program().graph_module.lowered_module_0.processed_bytes == delegate()[0]


def test_a_delegate_holds_its_constants() -> None:
    source, _ = network("ConvNet", "tflite")
    manager, _ = lowered_edge(source)
    program = manager.exported_program()
    assert program.graph_signature.user_inputs == ("x",)
    assert len(program.graph_signature.input_specs) == 1


def test_run_blob_equals_the_lowered_network() -> None:
    source, lowered = network("ConvNet", "tflite")
    blob, specs = delegate()
    inputs = batches(source, 3)
    (found,) = run_blob(blob, [3, *inputs], specs)  # a size among the inputs is skipped
    assert same(found, lowered(*inputs))
    assert same(run_blob(blob, inputs)[0], found)


@pytest.mark.parametrize("name", Target.names())
def test_compile_specs_give_the_target_back(name: str) -> None:
    target = Target.load(name)
    assert decode(encode(target)) == target


def test_text_of_a_target_is_quoted_as_toml_wants_it() -> None:
    fields = Target.load("q7").to_dict()
    fields["notes"] = 'a "quoted" \\ line\nand \t \x7f \x00 μ'
    target = Target.from_dict(fields)
    assert Target.from_toml(to_toml(target)) == target


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s | {"qsim.format": b"7"}, r"made for format '7' .*accepted: format 1\)"),
        (lambda s: s | {"other": b""}, r"the keys are other, .*accepted: qsim.target, "),
        (lambda s: {}, r"the keys are none"),
        (lambda s: s | {"qsim.target": b"\xff"}, r"the target is not UTF-8"),
        (lambda s: s | {"qsim.target": b"name = 1"}, r"compile specs of a qsim delegate"),
        (lambda s: s | {"qsim.target_hash": b"sha256:0"}, r"state the hash sha256:0, their target"),
        (
            lambda s: encode(Target.load("q7")),
            r"qsim delegate: made for target tflite \(sha256:\w{16}\), its compile specs state sha",
        ),
    ],
)
def test_compile_specs_that_do_not_fit_are_refused(change: Any, message: str) -> None:
    blob, specs = delegate()
    with pytest.raises(FileFormatError, match=message) as caught:
        run_blob(blob, [torch.zeros(1, 3, 14, 22)], change(specs))
    assert "\n" not in str(caught.value)


def test_bytes_of_another_version_are_refused() -> None:
    blob, _ = delegate()
    other = blob.replace(b'\\"format_version\\":1', b'\\"format_version\\":7')
    assert other != blob
    with pytest.raises(FileFormatError, match=r"qsim delegate: written by format 7; this qsim "):
        open_blob(other)


@pytest.mark.parametrize("at", [0, 9, 400, -1, -500])
def test_damaged_bytes_are_refused(at: int) -> None:
    blob, specs = delegate()
    damaged = bytearray(blob)
    damaged[at] ^= 4
    with pytest.raises(FileFormatError, match="qsim delegate"):
        open_blob(bytes(damaged), specs)
    with pytest.raises(FileFormatError, match="qsim delegate"):
        open_blob(blob[:at], specs)


def test_a_network_with_host_operators_is_no_delegate() -> None:
    from qsim.network.store import to_bytes

    _, lowered = network("HostInTheMiddle", "tflite")
    with pytest.raises(
        FileFormatError, match=r"cumsum runs in torch \(accepted: integer primitives"
    ):
        open_blob(to_bytes(lowered))


def test_inputs_that_do_not_fit_are_refused() -> None:
    blob, specs = delegate()
    with pytest.raises(InputError, match=r"qsim delegate: 0 tensors were given \(accepted: 1\)"):
        run_blob(blob, [4], specs)
    with pytest.raises(InputError, match=r"input 'x': shape must be \[N, 3, 14, 22\]"):
        run_blob(blob, [torch.zeros(1, 3, 14, 21)], specs)
    with pytest.raises(InputError, match=r"dtype must be float32, not int8"):
        run_blob(blob, [torch.zeros(1, 3, 14, 22, dtype=torch.int8)], specs)


def test_preprocess_refuses_what_the_target_does_not_compute() -> None:
    from executorch.exir.backend.compile_spec_schema import CompileSpec

    program = torch.export.export(torch.nn.Softmax(1), (torch.randn(2, 3),))
    specs = [CompileSpec(*item) for item in encode(Target.load("tflite")).items()]
    message = r"the model: aten._softmax.default cannot go into a delegate: it does not stand betw"
    with pytest.raises(ModelError, match=message):
        QsimBackend.preprocess(to_edge(program).exported_program(), specs)


def test_unsigned_codes_of_twelve_bits_cross_between_delegates_in_int32() -> None:
    fields = Target.load("tflite").to_dict()
    for section in ("input", "output"):
        fields[section] |= {"bits": 12, "signed": False}
    fields["add"]["left_shift"] = 10
    wide = quantize(build("ConvNet"), examples("ConvNet"), Target.from_dict(fields))
    lowered = lower(wide)
    manager, _ = lowered_edge(wide, quantized_io=True)
    blob = manager.exported_program().graph_module.lowered_module_0.processed_bytes
    assert from_bytes(blob).inputs[0].dtype == "uint16"
    inputs = batches(wide, 2)
    assert same(run_edge(manager, *inputs), lowered(*inputs))
    codes = torch.full((2, 3, 14, 22), 4096, dtype=torch.int32)
    with pytest.raises(InputError, match=r"codes 4096..4096 are outside .*accepted: 0\.\.4095"):
        run_blob(blob, [codes])
