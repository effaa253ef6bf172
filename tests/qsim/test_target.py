"""Targets: what is shipped, the round trip, the hash, and what importing them costs."""

from __future__ import annotations

import copy
import dataclasses
import json
import tomllib
from pathlib import Path
from typing import get_args

import pytest

import hw_models
from qsim.errors import TargetError
from qsim.target import Correlation, Target, sections
from qsim.target.load import MAX_BYTES, SHIPPED
from tests.fresh import ROOT, loaded

NAMES = ("narrow20", "onnxruntime", "pytorch", "q7", "tflite", "tflite-single")
# A changed hash means that every file written for the target is another datapath's. Change these
# only together with the CHANGELOG.
HASHES = {
    "narrow20": "sha256:79b08bad52308c908b2d15464071c9e6b4a8d8bfc9ef90a341b6ce5b7e82955d",
    "onnxruntime": "sha256:9550e16cecb0d3e386c0b31a9a97d3c968dc4d12b2aea919678f487c694dc563",
    "pytorch": "sha256:0cbb2201a6a9c88f356e5be30ec8e99505afdcfa3e040a058b103fd60f8ae343",
    "q7": "sha256:797329ffbc4192c2bae6fde244efbe3ed31d1cea2e2b7cd9a48a7a9b35a508e3",
    "tflite": "sha256:9ffb170f4e0e54ecdd0ef3f5f5a4c5f1e73626643ac8a4f9f4fcbf934943b51a",
    "tflite-single": "sha256:c1eb4cec2127553c1675a69ed56fa0d5b7b0d3a9f10ff1f573fa3840c474e757",
}


def test_shipped_names() -> None:
    assert Target.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_shipped_is_pinned(name: str) -> None:
    target = Target.load(name)
    assert target.name == name
    assert target.reproduces
    assert target.hash == HASHES[name]
    assert target.short_hash == HASHES[name][:23]


@pytest.mark.parametrize("name", NAMES)
def test_round_trip(name: str) -> None:
    target = Target.load(name)
    through_json = json.loads(json.dumps(target.to_dict()))
    again = Target.from_dict(through_json)
    assert again == target
    assert again.hash == target.hash
    assert through_json == tomllib.loads((SHIPPED / f"{name}.toml").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_path_and_name_agree(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "mine.toml"
    copy.write_bytes((SHIPPED / f"{name}.toml").read_bytes())
    assert Target.load(copy) == Target.load(str(copy)) == Target.load(name)


def test_hash_is_of_the_datapath_only() -> None:
    target = Target.load("tflite")
    renamed = dataclasses.replace(target, name="mine", reproduces="", notes="x")
    assert renamed.hash == target.hash
    assert renamed != target


def with_field(target: Target, section: str, field: str, value: object) -> Target:
    """Change one field past every rule: the hash must see it whatever the rules say."""
    part = copy.copy(getattr(target, section))
    object.__setattr__(part, field, value)
    changed = copy.copy(target)
    object.__setattr__(changed, section, part)
    return changed


def test_hash_covers_every_field() -> None:
    target = Target.load("tflite")
    seen = {target.hash}
    fields = 0
    for section, cls in sections.SECTIONS.items():
        for field in dataclasses.fields(cls):
            seen.add(with_field(target, section, field.name, "another").hash)
            fields += 1
    assert fields == 36
    assert len(seen) == 1 + fields


def test_formats_and_accumulators() -> None:
    target = Target.load("narrow20")
    assert target.input.format == hw_models.FixedFormat(8)
    assert target.weight.format == hw_models.FixedFormat(6, narrow=True)
    assert target.output.format == hw_models.FixedFormat(8)
    assert target.bias.format == hw_models.FixedFormat(16)
    mac = hw_models.Accumulator(20, "saturate", "mac", "channel_first")
    assert target.correlation.accumulator == mac
    assert target.sum.accumulator == hw_models.Accumulator(20, "saturate")
    unsigned = Target.load("pytorch").input.format
    assert (unsigned.min, unsigned.max) == (0, 255)


def test_has() -> None:
    target = Target.load("tflite")
    assert target.has("max_pool")
    assert target.has("linear")
    assert not target.has("softmax")
    available = ("matmul", "requantize")
    narrow = dataclasses.replace(target, primitives=sections.Primitives(available))
    assert not narrow.has("linear")
    assert narrow.has("matmul")


def test_names_are_those_of_hw_models() -> None:
    assert set(get_args(sections.ShiftRounding)) == set(hw_models.ROUNDINGS)
    for overflow in get_args(sections.Overflow):
        for order in get_args(sections.Order):
            for at in get_args(sections.At):
                accumulator = Correlation(20, overflow, at, order).accumulator
                assert (accumulator.overflow, accumulator.order, accumulator.at) == (
                    overflow,
                    order,
                    at,
                )


def test_import_is_light() -> None:
    code = "import qsim.target as t; [t.Target.load(n) for n in t.Target.names()]"
    assert loaded(code, "torch", "numba", "numpy") == []


def test_every_field_is_documented() -> None:
    page = (ROOT / "docs" / "targets.md").read_text()
    for section, cls in sections.SECTIONS.items():
        for field in dataclasses.fields(cls):
            assert f"`{section}.{field.name}`" in page
    for name in NAMES:
        assert f"`{name}`" in page
    assert len((SHIPPED / "tflite.toml").read_bytes()) < MAX_BYTES


@pytest.mark.parametrize("value", [None, 5, b"tflite", ["tflite"]])
def test_a_target_is_named_by_text(value: object) -> None:
    with pytest.raises(TargetError, match="text"):
        Target.load(value)  # type: ignore[arg-type]
