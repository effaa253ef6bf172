"""``.qsim`` files: the same network comes back, and nothing but a whole file is read."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from safetensors.numpy import save as serialize

from qsim.errors import FileFormatError, UsageError
from qsim.network import reading, store
from qsim.network.document import to_document
from qsim.program.attributes import Array
from tests.qsim.network import nets as net
from tests.tree import ROOT


@pytest.fixture(scope="module")
def data() -> bytes:
    return store.to_bytes(net.lowered(host=True))


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def refused(path: Path, message: str, where: str | None = None) -> None:
    with pytest.raises(FileFormatError, match=message) as caught:
        reading.load(path)
    assert "\n" not in str(caught.value)
    assert caught.value.where.startswith(str(path) if where is None else where)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("host", [False, True])
def test_the_same_network_comes_back(tmp_path: Path, host: bool) -> None:
    network, path = net.lowered(host=host), tmp_path / "net.qsim"
    network.save(path)
    again = reading.load(path)
    for name in ("inputs", "outputs", "steps", "host_operators", "model"):
        assert getattr(again, name) == getattr(network, name)
    assert again.target == network.target
    for mine, theirs in zip(network.programs, again.programs, strict=True):
        assert (mine.name, mine.inputs, mine.outputs) == (
            theirs.name,
            theirs.inputs,
            theirs.outputs,
        )
        assert dict(mine.tensors) == dict(theirs.tensors)
        assert mine.calls == theirs.calls
        for key, array in mine.constants.items():
            assert theirs.constants[key].dtype == array.dtype
            np.testing.assert_array_equal(theirs.constants[key], array)
    x = net.reals(5)
    np.testing.assert_array_equal(again(x), network(x))
    before, after = network.trace(x), again.trace(x)
    assert before.ledger == after.ledger
    for key, tensor in before.tensors.items():
        np.testing.assert_array_equal(after.tensors[key], tensor)


def test_integer_boundary_comes_back(tmp_path: Path) -> None:
    network = net.lowered().quantized_io()
    network.save(tmp_path / "net.qsim")
    again = reading.load(tmp_path / "net.qsim")
    assert (again.inputs, again.outputs) == (network.inputs, network.outputs)
    np.testing.assert_array_equal(again(net.codes()), network(net.codes()))


def test_the_same_network_gives_the_same_bytes(tmp_path: Path, data: bytes) -> None:
    assert store.to_bytes(net.lowered(host=True)) == data
    again = reading.load(write(tmp_path / "net.qsim", data))
    assert store.to_bytes(again) == data
    code = (
        "import sys; from tests.qsim.network import nets as n;"
        "from qsim.network import store;"
        "sys.stdout.buffer.write(store.to_bytes(n.lowered(host=True)))"
    )
    root = ROOT
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, check=True, timeout=120,
        env=os.environ | {"PYTHONHASHSEED": "7"},
    )  # fmt: skip
    assert done.stdout == data


def test_it_is_a_plain_safetensors_file(tmp_path: Path, data: bytes) -> None:
    arrays = load_file(write(tmp_path / "net.qsim", data))
    np.testing.assert_array_equal(arrays["0/conv.weight"], net.constants()["conv.weight"])
    np.testing.assert_array_equal(arrays["host/offset"], np.arange(5, dtype=np.float32))


def test_scalar_constants_and_every_dtype_come_back(tmp_path: Path) -> None:
    kinds = ["bool", "float16", "float32", "float64", "uint8", "int16", "uint32", "uint64"]
    constants = {kind: np.array(1, dtype=kind) for kind in kinds}
    constants["offset"] = np.arange(5, dtype=">f4")
    constants["empty"] = np.zeros((0, 3), np.int8)
    network = net.lowered(host=True, constants=constants)
    network.save(tmp_path / "net.qsim")
    again = reading.load(tmp_path / "net.qsim")
    for name, array in constants.items():
        assert again.constants[name].shape == array.shape
        assert again.constants[name].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(again.constants[name], array)


# --- how files are written ----------------------------------------------------------------------


def test_replaces_a_file_and_keeps_normal_permissions(tmp_path: Path) -> None:
    path = write(tmp_path / "net.qsim", b"old")
    net.lowered().save(path)
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    assert [item.name for item in tmp_path.iterdir()] == ["net.qsim"]
    reading.load(path)


def test_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "net.qsim", b"old")

    def broken(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(UsageError, match="no space left"):
        net.lowered().save(path)
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["net.qsim"]


def test_refuses_destinations(tmp_path: Path) -> None:
    for path in (tmp_path / "missing" / "net.qsim", tmp_path):
        with pytest.raises(UsageError, match="cannot be written"):
            net.lowered().save(path)


# --- what is refused ----------------------------------------------------------------------------


def test_missing_files_and_directories(tmp_path: Path) -> None:
    refused(tmp_path / "none.qsim", "no such file")
    refused(tmp_path, "it is a directory")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    refused(fifo, "not a regular file")
    with pytest.raises(FileFormatError, match="cannot be read"):
        reading.load("nul\0.qsim")


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 7, b"\xff" * 64, b"PK\x03\x04 a zip file, of some length", b"{}" * 40]
)
def test_other_files(tmp_path: Path, content: bytes) -> None:
    refused(write(tmp_path / "x.qsim", content), "not a .qsim file")


def test_another_safetensors_file(tmp_path: Path) -> None:
    plain = serialize({"a": np.zeros(3)})
    refused(write(tmp_path / "x.qsim", plain), "no qsim metadata")
    extra = serialize({"a": np.zeros(3)}, {"qsim": "{}", "more": "x"})
    refused(write(tmp_path / "x.qsim", extra), "no qsim metadata")


def test_truncated(tmp_path: Path, data: bytes) -> None:
    for size in (8, 9, 100, len(data) // 2, len(data) - 1):
        refused(write(tmp_path / "x.qsim", data[:size]), ".")
    refused(write(tmp_path / "x.qsim", data + b"\0"), "damaged")


def test_every_kind_of_flipped_bit(tmp_path: Path, data: bytes) -> None:
    size = int.from_bytes(data[:8], "little")
    for position in (0, 3, 8, 9, 12, 40, size // 2, size + 7, size + 8, len(data) - 1):
        for bit in (0, 5):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            refused(write(tmp_path / "x.qsim", bytes(flipped)), ".")


def edited(data: bytes, edit: Callable[[dict[str, Any], dict[str, Array]], Any]) -> bytes:
    """Return the file after an edit of its document and arrays, with a digest that matches."""
    document, arrays = to_document(net.lowered(host=True))
    plain: dict[str, Any] = {"format_version": 1, **json.loads(json.dumps(document))}
    edit(plain, arrays)
    return store.pack(plain, arrays)


def test_an_edit_of_nothing_is_accepted(tmp_path: Path, data: bytes) -> None:
    reading.load(write(tmp_path / "x.qsim", edited(data, lambda d, a: None)))


EDITS: dict[str, tuple[Callable[[dict[str, Any], dict[str, Array]], Any], str]] = {
    "later version": (
        lambda d, a: d.update(format_version=7),
        "written by format 7; this qsim reads 1",
    ),
    "no version": (lambda d, a: d.pop("format_version"), "format of no number"),
    "version true": (lambda d, a: d.update(format_version=True), "this qsim reads 1"),
    "target hash": (lambda d, a: d.update(target_hash="sha256:0"), "must have its hash"),
    "target field": (lambda d, a: d["target"]["weight"].update(bits=7), "must have its hash"),
    "target type": (lambda d, a: d.update(target=[]), "target must be an object"),
    "unknown key": (lambda d, a: d.update(run="rm"), "object with its keys"),
    "missing array": (lambda d, a: a.pop("0/conv.bias"), "array"),
    "spare array": (lambda d, a: a.update(spare=np.zeros(2)), "arrays must be those"),
    "huge shape": (
        lambda d, a: d["programs"][0]["tensors"][0].update(shape=[-1, 1 << 40]),
        "too many elements",
    ),
    "operator": (
        lambda d, a: d["steps"][3]["attributes"].update(operator="aten.from_file.default"),
        "must be one that exported graphs contain",
    ),
    "prim": (
        lambda d, a: d["steps"][3]["attributes"].update(operator="prim.device.default"),
        "host operator must be",
    ),
    "tensor twice": (
        lambda d, a: d["programs"][0]["tensors"].append(d["programs"][0]["tensors"][0]),
        "unique names",
    ),
    "weights of another shape": (
        lambda d, a: a.update({"0/fc.weight": np.zeros((5, 35), np.int8)}),
        r"x must be \[..., K\]",
    ),
    "inputs a number": (lambda d, a: d.update(inputs=3), "inputs must be a list"),
    "kind": (lambda d, a: d["steps"][0].update(kind="eval"), "kind must be one of its names"),
}


@pytest.mark.parametrize("case", EDITS)
def test_edits_with_a_matching_digest(tmp_path: Path, data: bytes, case: str) -> None:
    edit, message = EDITS[case]
    refused(write(tmp_path / "x.qsim", edited(data, edit)), message)


def with_text(text: str) -> bytes:
    return bytes(serialize({}, {"qsim": text}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 50_000, "nested too deeply"),
        ('{"a":NaN}', "NaN is not JSON"),
        ('{"a":-Infinity}', "Infinity is not JSON"),
        ('{"a":1e999}', "out of range"),
        ('{"a":1,"a":1}', "used twice"),
        ('{"a":' + "9" * 5000 + "}", "not JSON"),
        ('{"format_version":1e0}', "damaged"),
        ('{"format_version":99999999999999999999}', "this qsim reads 1"),
        ("[]", "not a JSON object"),
        ("", "not JSON"),
        ('{"format_version":1, "sha256":""}', "damaged"),
        ('{"format_version":1}', "SHA-256"),
    ],
)
def test_hostile_documents(tmp_path: Path, text: str, message: str) -> None:
    refused(write(tmp_path / "x.qsim", with_text(text)), message)


def header(table: str, body: bytes = b"") -> bytes:
    raw = table.encode()
    return len(raw).to_bytes(8, "little") + raw + body


@pytest.mark.parametrize(
    "raw",
    [
        header("[" * 100_000),
        header('{"__metadata__":{"qsim":"{}"},"__metadata__":{"qsim":"{}"}}'),
        header('{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'),
        header('{"__metadata__":[]}'),
        header('{"__metadata__":{"qsim":3}}'),
        (1 << 63).to_bytes(8, "little") + b"{}" * 40,
        (99_999_999).to_bytes(8, "little") + b"{}" * 40,
    ],
)
def test_hostile_headers(tmp_path: Path, raw: bytes) -> None:
    refused(write(tmp_path / "x.qsim", raw), ".")


@pytest.mark.parametrize(
    "entry",
    [
        '{"dtype":"F32","shape":[1099511627776,0],"data_offsets":[0,0]}',
        '{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}',
        '{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}',
        '{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}',
        '{"dtype":"F32","shape":[2],"data_offsets":[8,0]}',
        '{"dtype":"F32","shape":[' + "1," * 99 + '2],"data_offsets":[0,8]}',
    ],
)
def test_hostile_arrays(tmp_path: Path, entry: str) -> None:
    text = json.dumps('{"format_version":1}')
    raw = header('{"__metadata__":{"qsim":' + text + '},"a":' + entry + "}", b"\0" * 8)
    refused(write(tmp_path / "x.qsim", raw), ".")
