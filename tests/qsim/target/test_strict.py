"""What a target file may not say, and how the refusal reads."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

import pytest

from qsim.errors import TargetError
from qsim.target import Correlation, Input, Primitives, Target, Weight
from qsim.target.load import MAX_BYTES, SHIPPED

TFLITE = (SHIPPED / "tflite.toml").read_text()


def refused(text: str) -> str:
    with pytest.raises(TargetError) as caught:
        Target.from_toml(text, "my.toml")
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 800
    assert caught.value.exit_status == 2
    return line


def edit(section: str, field: str, value: str | None, base: str = TFLITE) -> str:
    """Replace one field's value in a TOML text, or delete the field."""
    pattern = re.compile(rf"(\[{section}\]\n(?:[^\[]*\n)?){field} = (?:\[[^]]*\]|[^\n]*)\n")
    line = "" if value is None else f"{field} = {value}\n"
    edited, count = pattern.subn(lambda m: m.group(1) + line, base)
    assert count == 1
    return edited


def edits(base: str, **values: str) -> str:
    for place, value in values.items():
        section, _, field = place.partition("__")
        base = edit(section, field, value, base)
    return base


@pytest.mark.parametrize(
    ("section", "field", "value", "shown", "allowed"),
    [
        ("input", "bits", "0", "is 0", "an integer from 1 to 32"),
        ("input", "bits", "33", "is 33", "an integer from 1 to 32"),
        ("input", "bits", "8.0", "is 8.0", "an integer from 1 to 32"),
        ("input", "bits", "true", "is True", "an integer from 1 to 32"),
        ("input", "bits", '"8"', "is '8'", "an integer from 1 to 32"),
        ("input", "bits", "[8]", "is [8]", "an integer from 1 to 32"),
        ("input", "signed", "1", "is 1", "true or false"),
        ("weight", "per_channel", '"yes"', "is 'yes'", "true or false"),
        ("weight", "scheme", '"affine"', "is 'affine'", "asymmetric, symmetric, power_of_two"),
        ("correlation", "bits", "1", "is 1", "an integer from 2 to 64"),
        ("correlation", "bits", "65", "is 65", "an integer from 2 to 64"),
        ("correlation", "overflow", '"clip"', "'clip'", "wrap, saturate, saturate_symmetric, err"),
        ("correlation", "at", '"end"', "'end'", "sum, mac"),
        ("correlation", "order", '"nhwc"', "'nhwc'", "channel_first, channel_last"),
        ("bias", "scale", '"own"', "'own'", "accumulator, power_of_two"),
        ("requantize", "scheme", '"fixed"', "'fixed'", "fixed_point, power_of_two, float_scale"),
        ("requantize", "derive", '"double"', "'double'", "float64, float32"),
        ("padding", "value", "0", "is 0", "zero_point, zero"),
        ("quantize", "formula", '"tf"', "'tf'", "torch, executorch, onnx"),
        ("add", "formula", '"exact"', "'exact'", "shifted, aligned, float_torch, float_onnx"),
        ("avg_pool", "rounding", '"jam"', "'jam'", "half_away"),
        ("primitives", "available", '"add"', "'add'", "a list of names, each once"),
        ("primitives", "available", '["conv"]', "'conv'", "correlation, matmul"),
        ("primitives", "available", '["add", "add"]', "'add'", "each once"),
        ("primitives", "available", "[[1]]", "[1]", "a list of names"),
        ("memory", "bytes", "-1", "is -1", "from 0 to"),
        ("memory", "alignment", "24", "is 24", "a power of two from 1 to 4096"),
        ("memory", "banks", "0", "is 0", "from 1 to 1024"),
        ("array", "rows", "0", "is 0", "from 1 to 4096"),
        ("array", "columns", "1e3", "is 1000.0", "from 1 to 4096"),
        ("array", "columns", "1979-05-27", "is datetime", "from 1 to 4096"),
    ],
)
def test_field_rules(section: str, field: str, value: str, shown: str, allowed: str) -> None:
    line = refused(edit(section, field, value))
    assert line.startswith(f"my.toml: {section}.{field}: ")
    assert shown in line
    assert allowed in line.partition("(accepted: ")[2]


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        (TFLITE.replace("[weight]", "[weigth]"), "weigth", "did you mean 'weight'?"),
        (TFLITE.replace("bits = 8", "bts = 8", 1), "input.bts", "did you mean 'bits'?"),
        (TFLITE + "\n[softmax]\nbits = 8\n", "softmax", "not a section or field"),
        (edit("input", "bits", None), "input.bits", "is missing"),
        (edit("correlation", "order", None), "correlation.order", "is missing"),
        ("schema = 1\n", "name", "is missing"),
        ("", "schema", "is missing"),
        (TFLITE.replace("schema = 1", "schema = 2"), "schema", "does not read version 2"),
        (TFLITE.replace("schema = 1", "schema = true"), "schema", "does not read version True"),
        (TFLITE.replace('name = "tflite"', 'name = "My Chip"'), "name", "'My Chip'"),
        (TFLITE.replace('name = "tflite"', "name = 3"), "name", "is 3"),
        (re.sub(r"\nnotes = [^\n]*", "\nnotes = 5", TFLITE), "notes", "is 5"),
        (re.sub(r"\nchecked = [^\n]*", "\nchecked = 5", TFLITE), "checked", "is 5"),
        (re.sub(r"\[sum\]\n[^\[]*", "", TFLITE), "sum", "is missing"),
        ("sum = 3\n" + re.sub(r"\[sum\]\n[^\[]*", "", TFLITE), "sum", "is 3"),
    ],
)
def test_form_rules(text: str, where: str, message: str) -> None:
    line = refused(text)
    assert line.startswith(f"my.toml: {where}")
    assert message in line


CONTRADICTIONS: list[tuple[str, dict[str, str], str, str]] = [
    ("tflite", {"input__signed": "false", "input__narrow": "true"}, "input.narrow", "unsigned"),
    ("tflite", {"weight__bits": "1"}, "weight.narrow", "1 bits"),
    (
        "tflite",
        {"weight__signed": "false", "weight__narrow": "false"},
        "weight.scheme",
        "zero point",
    ),
    ("q7", {"input__signed": "false"}, "input.scheme", "no code is negative"),
    ("tflite", {"output__bits": "16"}, "output.bits", "takes -128..127"),
    ("tflite", {"output__signed": "false"}, "output.bits", "0..255"),
    ("tflite", {"input__narrow": "true"}, "output.bits", "-127..127"),
    (
        "narrow20",
        {"output__scheme": '"asymmetric"'},
        "output.scheme",
        "input.scheme is 'symmetric'",
    ),
    ("tflite", {"requantize__rounding": '"half_even"'}, "requantize.rounding", "double, single"),
    ("q7", {"requantize__rounding": '"double"'}, "requantize.rounding", "half_even"),
    (
        "pytorch",
        {"requantize__rounding": '"half_up"'},
        "requantize.rounding",
        "(accepted: half_even)",
    ),
    ("pytorch", {"requantize__multiplier_bits": "32"}, "requantize.multiplier_bits", "no integer"),
    ("tflite", {"requantize__multiplier_bits": "0"}, "requantize.multiplier_bits", "from 2 to 32"),
    ("tflite", {"requantize__multiplier_bits": "1"}, "requantize.multiplier_bits", "from 2 to 32"),
    ("tflite", {"correlation__bits": "33"}, "correlation.bits", "32-bit register"),
    ("tflite", {"sum__bits": "48"}, "sum.bits", "32-bit register"),
    ("q7", {"input__scheme": '"asymmetric"'}, "input.scheme", "only shifts"),
    ("q7", {"weight__scheme": '"symmetric"'}, "weight.scheme", "only shifts"),
    ("q7", {"output__scheme": '"symmetric"'}, "output.scheme", "is the next input"),
    ("tflite", {"bias__scale": '"power_of_two"'}, "bias.scale", "input.scheme is power_of_two"),
    ("q7", {"add__left_shift": "3"}, "add.left_shift", "does not shift"),
    ("tflite", {"add__left_shift": "0"}, "add.left_shift", "from 1 to 23"),
    ("tflite", {"add__left_shift": "24"}, "add.left_shift", "from 1 to 23"),
    ("tflite", {"add__formula": '"aligned"', "add__left_shift": "0"}, "add.formula", "only shifts"),
    (
        "pytorch",
        {"add__formula": '"shifted"', "add__left_shift": "20"},
        "add.formula",
        "multipliers",
    ),
    ("tflite", {"primitives__available": "[]"}, "primitives.available", "is empty"),
    ("q7", {"requantize__multiplier_bits": "0\nseed = 3"}, "requantize.seed", "draws nothing"),
    (
        "tflite",
        {"requantize__multiplier_bits": "32\nright_shift = 3"},
        "requantize.right_shift",
        "a shift for each layer",
    ),
    ("nvdla-like", {"requantize__multiplier_bits": "8"}, "requantize.multiplier_bits", ": 16)"),
    ("tosa", {"requantize__multiplier_bits": "8"}, "requantize.multiplier_bits", ": 16 or 32)"),
    ("nvdla-like", {"requantize__rounding": '"half_up"'}, "requantize.rounding", ": half_away)"),
    (
        "litert-reference",
        {"requantize_linear__rounding": '"double"'},
        "requantize_linear.rounding",
        "which the scheme 'float64_scale'",
    ),
    ("tosa", {"correlation__bits": "48"}, "correlation.bits", "'tosa-single' is defined on a 32"),
    (
        "tflite",
        {"requantize__rounding": '"s64-reduced"', "requantize__multiplier_bits": "16"},
        "requantize.multiplier_bits",
        ": 32)",
    ),
    ("xnnpack", {"add__rounding": '"double"'}, "add.rounding", "formula 'multiplier'"),
    ("litert-optimized", {"add__rounding": '"half_up"'}, "add.rounding", "formula 'shifted'"),
    ("pytorch", {"add__left_shift": '0\nrounding = "half_up"'}, "add.rounding", "its own way"),
    ("xnnpack", {"add__multiplier_bits": "1"}, "add.multiplier_bits", "from 2 to 23"),
    ("tflite", {"add__left_shift": "20\nmultiplier_bits = 9"}, "add.multiplier_bits", "no such"),
    ("q7", {"add__formula": '"none"'}, "add.formula", "primitives.available has 'add'"),
    ("tflite", {"primitives__available": '["matmul"]'}, "primitives.available", "'requantize'"),
    (
        "tflite",
        {"primitives__available": '["bias_add", "requantize"]'},
        "primitives.available",
        "neither",
    ),
    (
        "fbgemm-dynamic",
        {"dynamic__symmetric": "true"},
        "dynamic.symmetric",
        "formula 'fbgemm' always has a zero point",
    ),
    (
        "fbgemm-dynamic",
        {"primitives__available": '["correlation", "requantize", "min_max"]'},
        "primitives.available",
        "has no 'choose_scale', which [dynamic] is made of",
    ),
    ("torchao-int8", {"dynamic__fused": "true"}, "dynamic.fused", "rounds each step"),
    ("torchao-int8", {"dynamic__order": '"row_last"'}, "dynamic.order", "no 'linear_groups'"),
]


@pytest.mark.parametrize(("name", "changes", "where", "message"), CONTRADICTIONS)
def test_contradictions(name: str, changes: dict[str, str], where: str, message: str) -> None:
    base = (SHIPPED / f"{name}.toml").read_text()
    line = refused(edits(base, **changes))
    assert line.startswith(f"my.toml: {where}: ")
    assert message in line
    assert "(accepted: " in line


def test_aligned_addition_needs_a_shifting_requantizer() -> None:
    base = (SHIPPED / "q7.toml").read_text()
    changes = {"scheme": '"fixed_point"', "rounding": '"single"', "multiplier_bits": "16"}
    line = refused(edits(base, **{f"requantize__{k}": v for k, v in changes.items()}))
    assert line.startswith("my.toml: add.formula: ")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (
            "tflite",
            {"correlation__bits": "64", "sum__bits": "64", "requantize__rounding": '"single"'},
        ),
        ("tflite", {"output__bits": "7"}),
        ("tflite", {"output__narrow": "true"}),
        ("tflite", {"output__scheme": '"power_of_two"'}),
        ("tflite", {"add__left_shift": "23"}),
        ("q7", {"requantize__rounding": '"stochastic"'}),
        (
            "q7",
            {"requantize__rounding": '"stochastic"', "requantize__multiplier_bits": "0\nseed = 7"},
        ),
        ("q7", {"primitives__available": '["matmul", "requantize"]', "add__formula": '"none"'}),
        (
            "tosa",
            {"correlation__bits": "48", "sum__bits": "48", "requantize__multiplier_bits": "16"},
        ),
        ("tflite", {"primitives__available": '["add"]'}),
        ("tflite", {"weight__scheme": '"asymmetric"', "weight__narrow": "false"}),
    ],
)
def test_what_looks_odd_and_is_fine(name: str, changes: dict[str, str]) -> None:
    base = (SHIPPED / f"{name}.toml").read_text()
    assert Target.from_toml(edits(base, **changes)).hash != Target.load(name).hash


def test_objects_are_as_strict_as_files() -> None:
    target = Target.load("tflite")
    with pytest.raises(TargetError, match=r"correlation\.bits: is 0"):
        dataclasses.replace(target.correlation, bits=0)
    with pytest.raises(TargetError, match=r"correlation\.order"):
        Correlation(20, "wrap", "mac", None)  # type: ignore[arg-type]
    with pytest.raises(TargetError, match=r"sum\.bits: is 48"):
        dataclasses.replace(target, sum=dataclasses.replace(target.sum, bits=48))
    with pytest.raises(TargetError, match=r"input: is Weight"):
        dataclasses.replace(target, input=target.weight)  # type: ignore[arg-type]
    with pytest.raises(TargetError, match=r"weight\.bits"):
        Weight(True, True, True, "symmetric", True)
    with pytest.raises(TargetError, match=r"primitives\.available"):
        Primitives(["add"])  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        target.input.bits = 4  # type: ignore[misc]
    assert Input(8, True, False, "symmetric").format.bits == 8


@pytest.mark.parametrize("data", [None, 3, [], "text", {1: 2}, {"schema": 1, "x": float("nan")}])
def test_from_dict_takes_only_targets(data: Any) -> None:
    with pytest.raises(TargetError):
        Target.from_dict(data)


def test_from_dict_names_its_source() -> None:
    document = Target.load("q7").to_dict()
    document["weight"]["bits"] = 4096
    with pytest.raises(TargetError, match=r"^net\.qsim: weight\.bits: is 4096"):
        Target.from_dict(document, "net.qsim")


@pytest.mark.parametrize(
    ("name", "first"), [("tflyte", "tflite"), ("onnx", "onnxruntime"), ("torch", "pytorch")]
)
def test_unknown_names_list_the_closest_first(name: str, first: str) -> None:
    with pytest.raises(TargetError) as caught:
        Target.load(name)
    assert caught.value.accepted.split(", ")[0] == first
    for known in Target.names():
        assert known in caught.value.accepted


def test_bad_paths(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "large.toml").write_bytes(TFLITE.encode() + b"#" * MAX_BYTES)
    (tmp_path / "latin.toml").write_bytes(TFLITE.encode() + b"# \xe9\n")
    (tmp_path / "binary.toml").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "empty.toml").touch()
    (tmp_path / "link.toml").symlink_to("link.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    expected = {
        "missing.toml": "cannot be read: no such file",
        "folder.toml": "it is a directory, not a regular file",
        "pipe.toml": "it is a pipe, not a regular file",
        "large.toml": "at most 65,536 bytes",
        "latin.toml": "is not UTF-8",
        "binary.toml": "UTF-8",
        "empty.toml": "schema: is missing",
        "link.toml": "",
        "a\0b.toml": "",
        "x" * 5000 + ".toml": "",
    }
    for name, message in expected.items():
        with pytest.raises(TargetError) as caught:
            Target.load(tmp_path / name)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["", ".", "/", "tflite.tml", "a b", "x" * 9999, "\0", "../tflite"])
def test_odd_names(name: str) -> None:
    with pytest.raises(TargetError) as caught:
        Target.load(name)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "text",
    [
        "schema = " + "9" * 5000,
        "schema = 1\nname = " + "[" * 5000,
        "schema = 1\nname = " + "{a=" * 5000,
        "schema = 1\n" + ".".join("a" * 20000) + " = 1",
        "schema = 1\nname = 'a'\nname = 'b'",
        "schema = 0x" + "f" * 9000,
        'schema = 1\nname = "\\ud800"',
        "schema = 1\n[input]\nbits = 0x" + "f" * 9000,
        "\ufeffschema = 1",
        "schema = 1e999",
        "schema = nan",
        "\x00",
    ],
)
def test_nasty_toml(text: str) -> None:
    refused(text)
