"""`qsim golden fields`: what a beat of a primitive holds, with what each field means."""

from __future__ import annotations

import json

import pytest

from qsim.cli import main
from qsim.cosim import beat_fields, fields
from qsim.golden import directed, samples
from qsim.target import Target

PRIMITIVES = (*directed.PRIMITIVES, *samples.PRIMITIVES)

FLOATS = ("requantize", "add", "mul", "softmax")


@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_every_field_means_something(primitive: str) -> None:
    floats = ("onnxruntime",) if primitive in FLOATS else ()
    for name in ("tflite", *floats):
        found = fields(primitive, Target.load(name))
        for field in (*found.unit.inputs.fields, *found.unit.outputs.fields):
            known = {**beat_fields._MEANINGS}
            assert (primitive, field.name) in beat_fields._OWN or field.name in known


def test_the_table_fits_and_the_object_has_all(capsys: pytest.CaptureFixture[str]) -> None:
    for primitive in ("requantize", "softmax", "correlation"):
        assert main(["golden", "fields", primitive, "--target", "tflite"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= 100
        assert any("-2^31..2^31-1" in line for line in lines)
    assert main(["golden", "fields", "requantize", "--json"]) == 0
    held = json.loads(capsys.readouterr().out)
    assert held["module"] == "requantize"
    assert held["listed"] is True
    assert [field["name"] for field in held["in"]] == [
        "acc", "multiplier", "shift", "input_zero_point", "zero_point", "low", "high"
    ]  # fmt: skip
    assert held["in"][1] == {
        "name": "multiplier", "offset": 32, "bits": 32, "signed": True, "lanes": 1,
        "min": -(1 << 31), "max": (1 << 31) - 1,
        "meaning": "multiplier of the scale; its fraction bits are the scheme's",
    }  # fmt: skip
    assert main(["golden", "fields", "pad", "--target", "narrow20", "--json"]) == 0
    held = json.loads(capsys.readouterr().out)
    assert held["module"] is None
    assert held["beats"] == "a packet (up to last) for each packet of results"


def test_an_unknown_primitive_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["golden", "fields", "nothing"]) == 2
    assert "there are no beats of a primitive 'nothing'" in capsys.readouterr().err
