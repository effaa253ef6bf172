"""Golden sets on disk: deterministic, whole or not there, and refused when anything is off."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qsim import Target
from qsim.errors import FileFormatError, UsageError
from qsim.golden import check, load, write
from tests.qsim.golden.cases import clamp_case, document_of, rewrite, sign, small_set

TFLITE = Target.load("tflite")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    small_set(tmp_path / "a", seed=3)
    small_set(tmp_path / "b", seed=3)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_the_manifest_says_all_that_the_design_asks(tmp_path: Path) -> None:
    small_set(tmp_path / "set", model="net", seed=3)
    held = document_of(tmp_path / "set")
    assert list(held) == [
        *("format", "version", "sha256", "target", "model", "network_sha256"),
        *("seed", "versions", "cases"),
    ]
    assert (held["format"], held["version"]) == ("qsim-golden", 1)
    assert held["target"] == {"name": "tflite", "hash": TFLITE.hash, "contract": TFLITE.to_dict()}
    assert (held["model"], held["seed"]) == ("net", 3)
    assert set(held["versions"]) == {"qsim", "torch", "torchao", "numpy", "numba"}
    assert held["versions"]["numpy"] == np.__version__
    for item in held["cases"]:
        data = (tmp_path / "set" / item["file"]).read_bytes()
        assert item["sha256"] == hashlib.sha256(data).hexdigest()
        assert item["bytes"] == len(data)
    first = held["cases"][0]
    assert first["operands"]["x"] == {
        "shape": [2, 2, 6, 6],
        "dtype": "int8",
        "format": {"bits": 8, "signed": True, "narrow": False},
    }


@pytest.mark.parametrize("bits", [1, pytest.param(8, marks=pytest.mark.soak)])
def test_every_flipped_bit_is_noticed(bits: int, tmp_path: Path) -> None:
    """So many bits of every seventh byte, in turn the lowest, the next, …"""
    write([clamp_case()], tmp_path / "set", TFLITE)
    for path in sorted((tmp_path / "set").iterdir()):
        data = path.read_bytes()
        for place in range(0, len(data), 7):
            for bit in ((place + k) % 8 for k in range(bits)):
                changed = bytearray(data)
                changed[place] ^= 1 << bit
                path.write_bytes(bytes(changed))
                with pytest.raises(FileFormatError):
                    load(tmp_path / "set")
        path.write_bytes(data)
    assert check(tmp_path / "set").ok


def missing(folder: Path) -> None:
    (folder / "0000_conv.correlation.safetensors").unlink()


def stray(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")


def hidden(folder: Path) -> None:
    (folder / ".x.safetensors").write_bytes(b"")


def truncated(folder: Path) -> None:
    path = folder / "0001_conv.bias_add.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def longer(folder: Path) -> None:
    path = folder / "0001_conv.bias_add.safetensors"
    path.write_bytes(path.read_bytes() + b"\0")


def linked(folder: Path) -> None:
    path = folder / "0001_conv.bias_add.safetensors"
    path.rename(folder.parent / "elsewhere")
    path.symlink_to(folder.parent / "elsewhere")


def linked_manifest(folder: Path) -> None:
    (folder / "manifest.json").rename(folder.parent / "elsewhere")
    (folder / "manifest.json").symlink_to(folder.parent / "elsewhere")


def piped(folder: Path) -> None:
    path = folder / "0001_conv.bias_add.safetensors"
    path.unlink()
    os.mkfifo(path)


def nested(folder: Path) -> None:
    path = folder / "0001_conv.bias_add.safetensors"
    path.unlink()
    path.mkdir()


def no_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def swapped(folder: Path) -> None:
    one, two = folder / "0005_flat.permute.safetensors", folder / "0006_flat.reshape.safetensors"
    a, b = one.read_bytes(), two.read_bytes()
    one.write_bytes(b)
    two.write_bytes(a)


DAMAGE: dict[Callable[[Path], None], str] = {
    missing: "a file that the manifest lists is missing",
    stray: r"notes.txt: the manifest does not list it",
    hidden: r"\.x\.safetensors: the manifest does not list it",
    truncated: "its SHA-256 is not the manifest's",
    longer: "it is 2,545 bytes long",
    linked: "it is a link",
    linked_manifest: "it is a link",
    piped: "it is a pipe, not a regular file",
    nested: "it is a directory, not a regular file",
    no_manifest: "it is no golden set: it has no manifest.json",
    swapped: "its SHA-256 is not the manifest's",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_damage_is_told(damage: Callable[[Path], None], tmp_path: Path) -> None:
    small_set(tmp_path / "set")
    damage(tmp_path / "set")
    with pytest.raises(FileFormatError, match=DAMAGE[damage]) as caught:
        check(tmp_path / "set")
    assert str(caught.value).startswith(str(tmp_path / "set"))
    assert "\n" not in str(caught.value)


CHANGES: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda d: d.update(version=2), "version must be one that qsim .* reads, not 2"),
    (lambda d: d.update(version=True), "version must be one"),
    (lambda d: d.update(format="other"), "not the manifest of a golden set"),
    (lambda d: d.update(seed=-1), "seed must be"),
    (lambda d: d.update(model=3), "model must be a name"),
    (lambda d: d.update(model="two\nlines"), "model must be a name"),
    (lambda d: d.update(versions=[]), "versions must be"),
    (lambda d: d.update(cases={}), "cases must be a list"),
    (lambda d: d["target"].update(hash="sha256:0"), "must have its name and hash"),
    (lambda d: d["target"].update(name="q7"), "must have its name and hash"),
    (lambda d: d["target"]["contract"]["sum"].update(bits=20), "must have its name and hash"),
    (lambda d: d["target"]["contract"].pop("sum"), "sum"),
    (lambda d: d["cases"].append(d["cases"][0]), "name of its own, not 'conv.correlation'"),
    (lambda d: d["cases"][1].update(file=d["cases"][0]["file"]), "file of its own"),
    (lambda d: d["cases"][0].update(file="../x.safetensors"), "named in the set's folder"),
    (lambda d: d["cases"][0].update(file="/etc/passwd"), "named in the set's folder"),
    (lambda d: d["cases"][0].update(file="manifest.json"), "named in the set's folder"),
    (lambda d: d["cases"][0].update(file=".x.safetensors"), "named in the set's folder"),
    (lambda d: d["cases"][0].update(bytes=1 << 60), "its SHA-256 is not"),
    (lambda d: d["cases"][0].update(bytes=-1), "bytes must be a size"),
    (lambda d: d["cases"][0].update(sha256="0"), "sha256 must be a digest"),
    (lambda d: d["cases"][0].update(sha256="0" * 64), "its SHA-256 is not"),
    (lambda d: d["cases"][0].update(primitive="no_such_primitive"), "primitive must be known"),
    (lambda d: d["cases"][0].update(primitive="bias_add"), "acc, bias"),
    (lambda d: d["cases"][0].update(name="\n"), "a case's name must be a name"),
    (lambda d: d["cases"][0]["attributes"].update(groups=0), "'groups'.* not 0"),
    (lambda d: d["cases"][0]["attributes"].pop("groups"), "'groups' is missing"),
    (lambda d: d["cases"][0]["attributes"].update(stride=3), "shape"),
    (lambda d: d["cases"][0]["operands"]["x"].update(shape=[2, 2, 6, 7]), "array 'operand/x' is"),
    (lambda d: d["cases"][0]["operands"]["x"].update(dtype="object"), "dtype must be"),
    (lambda d: d["cases"][0]["operands"]["x"]["format"].update(bits=4), "outside the format"),
    (lambda d: d["cases"][0]["operands"]["x"]["format"].update(bits=99), "1 to 64"),
    (lambda d: d["cases"][0]["output"]["format"].update(bits=31), "format"),
    (lambda d: d["cases"][0]["constants"].update(y={"shape": [], "dtype": "int8"}), "constant/y"),
    (lambda d: d["cases"][2]["constants"].clear(), "constant/conv.multiplier"),
    (lambda d: d["cases"][0].update(classes={"tie": -1}), "classes must be counts"),
    (lambda d: d["cases"][0].update(layer=None), "layer must be a name"),
    (lambda d: d.update(extra=1), "must be an object with its keys"),
    (lambda d: d["cases"][0].pop("layer"), "must be an object with its keys"),
]


@pytest.mark.parametrize(("change", "rule"), CHANGES)
def test_a_signed_change_is_refused(
    change: Callable[[dict[str, Any]], Any], rule: str, tmp_path: Path
) -> None:
    small_set(tmp_path / "set")
    document = document_of(tmp_path / "set")
    change(document)
    if "extra" in document:
        (tmp_path / "set" / "manifest.json").write_text(__import__("json").dumps(document))
    else:
        sign(tmp_path / "set", document)
    with pytest.raises(FileFormatError, match=rule) as caught:
        load(tmp_path / "set")
    assert "\n" not in str(caught.value)


def test_a_manifest_that_was_edited_by_hand_is_refused(tmp_path: Path) -> None:
    small_set(tmp_path / "set", seed=3)
    path = tmp_path / "set" / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"seed": 3', b'"seed": 4'))
    with pytest.raises(FileFormatError, match="not as it was written"):
        load(tmp_path / "set")


def test_arrays_that_the_manifest_does_not_describe_are_refused(tmp_path: Path) -> None:
    changes: list[tuple[Callable[[dict[str, Any]], dict[str, Any]], str]] = [
        (lambda a: a | {"operand/x": a["operand/x"].astype(np.int16)}, "'operand/x' is .*int16"),
        (lambda a: a | {"more": a["output"]}, "array 'more' is"),
        (lambda a: {k: v for k, v in a.items() if k != "output"}, "'output' is not there"),
    ]
    for index, (change, rule) in enumerate(changes):
        folder = tmp_path / str(index)
        small_set(folder)
        rewrite(folder, 3, change)
        with pytest.raises(FileFormatError, match=rule):
            load(folder)


def test_a_file_that_changes_after_the_set_was_opened_is_noticed(tmp_path: Path) -> None:
    golden = small_set(tmp_path / "set")
    truncated(tmp_path / "set")
    assert golden.case("conv.correlation").expected.size
    with pytest.raises(FileFormatError, match="SHA-256"):
        golden.case("conv.bias_add")


def test_a_set_is_replaced_only_by_force(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write([clamp_case("old")], folder, TFLITE)
    before = contents(folder)
    with pytest.raises(UsageError, match="a golden set is there already"):
        write([clamp_case("new")], folder, TFLITE)
    assert contents(folder) == before
    write([clamp_case("new")], folder, TFLITE, force=True)
    assert load(folder).names == ("new",)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_damaged_set_can_be_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    small_set(folder)
    truncated(folder)
    small_set(folder, force=True)
    assert check(folder).ok


def test_a_replacement_that_fails_leaves_the_old_set(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write([clamp_case("old")], folder, TFLITE)
    before = contents(folder)
    with pytest.raises(UsageError, match="two cases are named 'new'"):
        write([clamp_case("new"), clamp_case("new")], folder, TFLITE, force=True)
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_golden_set_is_never_touched(tmp_path: Path, *, force: bool) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    mixed = tmp_path / "mixed"
    write([clamp_case()], mixed, TFLITE)
    (mixed / "thesis.txt").write_text("years of work")
    fake = tmp_path / "fake"
    fake.mkdir()
    (fake / "manifest.json").write_text('{"format": "something else"}')
    link = tmp_path / "link"
    write([clamp_case()], tmp_path / "real", TFLITE)
    link.symlink_to(tmp_path / "real")
    file = tmp_path / "file"
    file.write_text("mine")
    for path in (mine, mixed, fake, link, file):
        with pytest.raises(UsageError):
            write([clamp_case("new")], path, TFLITE, force=force)
    assert (mine / "thesis.txt").read_text() == "years of work"
    assert len(list(mixed.iterdir())) == 3
    assert fake.is_dir()
    assert link.is_symlink()
    assert load(link).names == ("clamp",)
    assert file.read_text() == "mine"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    assert write([clamp_case()], tmp_path / "set", TFLITE).names == ("clamp",)


def test_a_folder_without_a_parent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such directory"):
        write([clamp_case()], tmp_path / "none" / "set", TFLITE)


def test_names_that_no_file_may_have_are_kept_in_the_manifest(tmp_path: Path) -> None:
    names = ("a/b", "../../x", "ünï", "a" * 256, ".", "con fig")
    golden = write(map(clamp_case, names), tmp_path / "set", TFLITE)
    assert golden.names == names
    files = sorted(path.name for path in (tmp_path / "set").iterdir())
    assert len(files) == len(names) + 1
    assert all(file.isascii() and len(file) < 120 for file in files)
    assert check(golden).ok


def test_a_seed_that_cannot_be_written_down_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="seed must be"):
        write([clamp_case()], tmp_path / "set", TFLITE, seed=-1)
    assert list(tmp_path.iterdir()) == []


def test_a_set_without_cases_is_a_set(tmp_path: Path) -> None:
    golden = write([], tmp_path / "set", TFLITE)
    assert len(golden.cases) == 0
    assert check(golden).ok
