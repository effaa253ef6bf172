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
from hw_models.dynamic.choose_qparams import CHOICES
from hw_models.quantize import FORMULAS
from hw_models.schemes import FIXED_REFERENCES
from qsim.errors import TargetError
from qsim.program.primitives import PRIMITIVES
from qsim.target import Correlation, Target, sections, words
from qsim.target.load import MAX_BYTES, SHIPPED
from tests.fresh import ROOT, loaded

# A changed hash means that every file written for the target is another datapath's. Change these
# only together with the CHANGELOG.
HASHES = {
    "asic-example": "sha256:d113897aa58dd2411520ebf96d7673ad27f410f7bdddf7cbe44e26f5f39efb12",
    "cmsis-nn": "sha256:c57ac337722e518dc6745bfff8b1765f8cbaca080553f55a427ba9892164bbd7",
    "deeploy-like": "sha256:ecc11edc0ce1fa37b41a328a0c0123a621845c2dbc5035eaeebca719067f7876",
    "fbgemm-dynamic": "sha256:d04f6e1f6bfd26b21106248cc2f4f57bb6fab11d32d81ceb4abd6b8a29820454",
    "fbgemm-dynamic-whole": (
        "sha256:01653a0ec58d111be2ea650258ad30802f788f66a48989db8756fc13926a5a4c"
    ),
    "int4": "sha256:701a32a28a378ceb0202a89d37aa4773e769fdfaec4c06d48884e45826d1f1aa",
    "integer-transformer": (
        "sha256:ba483e734c2beef4faa8969b042d8e1bc996589eed30906ad6d94715fc2ddcfc"
    ),
    "litert-optimized": "sha256:8e907c30d9abf88c48f9a9db4060fd7ba80d146aa4cf9955370c0fd7b940ff0a",
    "litert-reference": "sha256:8224098c96ca2b79b20811fb0e6d29e55ef315ce0b17c6a0206ec5957936f436",
    "narrow20": "sha256:1692b77a89da4580ba411e0762fbcfa356bd5b053249d0fcfd7396ae3995f453",
    "nvdla-like": "sha256:755219fdbce2fa3f20ee451a453b127fef4a46e947b25930ed5a0a909757fc10",
    "onnxruntime": "sha256:637ba04f61cf319d9569ba9cb975796acc829d20d90267b2f50b1940c72f0840",
    "onnxruntime-dynamic": "sha256:f319788b43ab4337f75c010669c8aebf440e5ca8e98bd0ee9821e2f4c345e481",  # noqa: E501
    "onnxruntime-dynamic-whole": (
        "sha256:75accae7a3e8503886ab333766641f2f7ce8db8db6579085c7ea8dd93fc9b1f7"
    ),
    "pytorch": "sha256:5de7ee6d47fdaa920bde4017132af98cc23e1cd688229d5c545bc9ef42927197",
    "q15": "sha256:fdf57a6a62be2c84569038b9318c793cb94ce047530922203e77560c252edc99",
    "q7": "sha256:81a2a9de6653561d4a26b4dec13b38a0f268b7ab127900f0ca9cc3e4285b82b5",
    "tflite": "sha256:950d75de9bd1693b98774e4b3032ff15a32b4fe86916260fbfc3b634035ad11b",
    "tflite-int16x8": "sha256:6a524b310beeb4af61fc8cd51cf4025ffd3529c306c365d1bd681e23a7592df1",
    "tflite-single": "sha256:8536c747450a4ce4f468c3e59fe307ffddae9562a7e197dd458f31d7e7811cc9",
    "torchao-int8": "sha256:f6072f87eaa9efc2c44d77f8c9cb41b969a0ce81eef3053fa5c0a3964b1fd533",
    "torchao-intx": "sha256:af3c3fe0af0e5a3550e480350130b0ac09e7acf6387fa5cec48238c2ac923ab6",
    "tosa": "sha256:b83969f89b0b2124c391b935dff6d3bab3fae89bb82e4326b8f6117851942353",
    "xnnpack": "sha256:cdc68450e29b721e700e9e6480a7a37ce8e4a66734a341b36bc11b4e54aa5ad4",
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
    units = Target.load("integer-transformer").units
    target = dataclasses.replace(target, requantize_linear=linear, units=units)
    object.__setattr__(target, "dynamic", Target.load("fbgemm-dynamic").dynamic)
    object.__setattr__(target, "floats", Target.load("fbgemm-dynamic-whole").floats)
    seen = {target.hash}
    fields = 0
    for section, cls in sections.SECTIONS.items():
        for field in dataclasses.fields(cls):
            seen.add(with_field(target, section, field.name, "another").hash)
            fields += 1
    assert fields == 71
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
    assert set(get_args(words.ShiftRounding)) == set(hw_models.ROUNDINGS)
    assert get_args(words.FixedRounding) == tuple(FIXED_REFERENCES)
    assert get_args(words.Formula) == FORMULAS
    assert get_args(words.Choice) == CHOICES
    # linear runs on correlation: see Target.has.
    assert set(get_args(words.PrimitiveName)) == set(PRIMITIVES) - {"linear"}
    for overflow in get_args(words.Overflow):
        for order in get_args(words.Order):
            for at in get_args(words.At):
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
