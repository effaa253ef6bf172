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
from hw_models.quantize import FORMULAS
from hw_models.schemes import FIXED_REFERENCES
from qsim.errors import TargetError
from qsim.program.primitives import PRIMITIVES
from qsim.target import Correlation, Target, sections
from qsim.target.load import MAX_BYTES, SHIPPED
from tests.fresh import ROOT, loaded

# A changed hash means that every file written for the target is another datapath's. Change these
# only together with the CHANGELOG.
HASHES = {
    "asic-example": "sha256:7c0a29a7660f94c3cc278fbf93444ff486f2660fef0770b05d49af7646887743",
    "cmsis-nn": "sha256:5c2992513bac5a90c85ff1fbada4bafc923d8d58f20bd945562c64ea52a0ec33",
    "deeploy-like": "sha256:80178a81d66d83cb100bec8f6aff957787138843bc0348534f23650a7ec55f03",
    "int4": "sha256:ff66ba545aaf62d868c3781e462af428c9e1f981b3eb35784a9977e9c311e871",
    "litert-optimized": "sha256:0f25299f78a92168f5fe160c827d71be05bf9a70989f8e362818340916538bb3",
    "litert-reference": "sha256:6f63424be49b0fb0e4b891d5081dd18c63d10b1149da3e021c78b67770928ac5",
    "narrow20": "sha256:03944e4708daa32f7744b06635909726401544582af5f414ba4949ea9cbe40aa",
    "nvdla-like": "sha256:4f5144804dc4d97e3f84869861955c78bacae347ca5b27fe111dd2f174233c26",
    "onnxruntime": "sha256:a67a0541d946e12dca8b2b749b85132212005a0e1d4e816e7ac6e0f46db54509",
    "pytorch": "sha256:44cd6995462e7a3a301424b9848df9a216625d6b3790e53462733008fee7360d",
    "q15": "sha256:846fea7ba73498f270d6392f175bbef00880ac1ffc14f1df09f1aa84a829fb16",
    "q7": "sha256:ecaf6b19fe1de3713f49e03b5ecac3cc3eec0f8154aefd8a7d0a3a7cbe759fd4",
    "tflite": "sha256:b2d43b33d7ab913017b9db6daa76840089c39fca66f364ea5a30c3264d939da0",
    "tflite-int16x8": "sha256:662762d1ed53e7a4440293e0472b082f5887dfc0476505a28af7dc8d2b6b9057",
    "tflite-single": "sha256:5d9e2569350628fec0edcb6bb4ff1c249e6555f17074a9ef7e647590ee08a82d",
    "tosa": "sha256:b2e22dc9a04c2ffc88b83ad39e00e243480a516042bb44c9af91f302a572e335",
    "xnnpack": "sha256:630622f5ec2ea82dd83261267fc6215bf7d6571d1391fec2f935a01a48366adf",
}
NAMES = tuple(HASHES)


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
    written = tomllib.loads((SHIPPED / f"{name}.toml").read_text())
    assert written.pop("checked") == target.checked
    assert through_json == written


def test_fields_that_say_nothing_are_left_out() -> None:
    """They came later: writing their value is the same as leaving them out, in the hash too."""
    text = (SHIPPED / "tflite.toml").read_text()
    stated = text.replace("left_shift = 20", 'left_shift = 20\nrounding = "requantize"')
    stated = stated.replace('derive = "float64"', 'derive = "float64"\nright_shift = 0\nseed = 0')
    target = Target.from_toml(stated)
    assert stated != text
    assert target == Target.load("tflite")
    assert target.hash == HASHES["tflite"]
    assert "seed" not in target.to_dict()["requantize"]
    assert "requantize_linear" not in target.to_dict()


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


def test_what_was_compared_decides_no_bit() -> None:
    """A file may say how its target was checked: same hash, same target, and nothing carries it."""
    text = (SHIPPED / "tflite.toml").read_text()
    without = "".join(x for x in text.splitlines(True) if not x.startswith("checked = "))
    target = Target.from_toml(without)
    assert without != text
    assert target.checked == ""
    assert target == Target.load("tflite")
    assert target.hash == HASHES["tflite"]
    assert "checked" not in Target.load("tflite").to_dict()


def with_field(target: Target, section: str, field: str, value: object) -> Target:
    """Change one field past every rule: the hash must see it whatever the rules say."""
    part = copy.copy(getattr(target, section))
    object.__setattr__(part, field, value)
    changed = copy.copy(target)
    object.__setattr__(changed, section, part)
    return changed


def test_hash_covers_every_field() -> None:
    target = Target.load("litert-optimized")
    linear = Target.load("litert-reference").requantize_linear
    target = dataclasses.replace(target, requantize_linear=linear)
    seen = {target.hash}
    fields = 0
    for section, cls in sections.SECTIONS.items():
        for field in dataclasses.fields(cls):
            seen.add(with_field(target, section, field.name, "another").hash)
            fields += 1
    assert fields == 53
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


def test_operators_with_a_requantize_of_their_own() -> None:
    reference, plain = Target.load("litert-reference"), Target.load("tflite")
    assert reference.requantize_of("linear") == reference.requantize_linear
    assert reference.requantize_of("matmul") == reference.requantize
    assert plain.requantize_of("linear") == plain.requantize
    # Every tool chain that states nothing else multiplies the scales of a product in float32.
    assert plain.requantize_of("mul") == dataclasses.replace(plain.requantize, derive="float32")
    assert Target.load("tosa").requantize_of("mul").derive == "float64"


def test_has() -> None:
    target = Target.load("tflite")
    assert target.has("max_pool")
    assert target.has("linear")
    assert not target.has("interpolate")
    available = ("matmul", "requantize")
    narrow = dataclasses.replace(target, primitives=sections.Primitives(available))
    assert not narrow.has("linear")
    assert narrow.has("matmul")


def test_names_are_those_of_hw_models() -> None:
    assert set(get_args(sections.ShiftRounding)) == set(hw_models.ROUNDINGS)
    assert get_args(sections.FixedRounding) == tuple(FIXED_REFERENCES)
    assert get_args(sections.Formula) == FORMULAS
    # linear runs on correlation: see Target.has.
    assert set(get_args(sections.PrimitiveName)) == set(PRIMITIVES) - {"linear"}
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
