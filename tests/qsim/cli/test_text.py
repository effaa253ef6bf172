"""What `qsim run` prints for people."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import qsim
from qsim.cli import main
from tests.qsim.cli.models import compile_model, run_json, write_models


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory)


@pytest.fixture(scope="module")
def compiled(folder: Path) -> Path:
    return compile_model(folder)


@pytest.mark.parametrize("factory", ["make", "bare", "host"])
def test_text_fits_and_says_what_it_is(
    folder: Path, factory: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", f"{folder}/net.py:{factory}", "--target", "narrow20"]) == 0
    out, _ = capsys.readouterr()
    lines = out.splitlines()
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in out
    assert "on narrow20 sha256:" in lines[0]
    expected = {
        "make": "accuracy    float",
        "bare": "example inputs (no others given)",
        "host": "aten.cumsum",
    }
    assert expected[factory] in out
    assert ("argmax agrees with float" in out) == (factory == "bare")
    assert ("no classification" in out) == (factory == "host")
    assert "hardware model: " in out
    assert "1.20k of 1.20k MACs per sample (100.00 %)" in out
    assert "it is no oracle" in " ".join(out.split())


def test_a_factory_that_prints_leaves_json_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", f"{folder}/net.py:host", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["host_operators"][0]["operator"].startswith("aten.cumsum")
    keys = ["operator", "layer", "reason", "kind", "lacks", "macs"]
    assert list(found["host_operators"][0]) == keys
    assert found["host_operators"][0]["reason"]


def test_random_samples_are_called_that(
    compiled: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "random.pt2"
    assert main(["compile", f"{folder}/net.py:make", "-o", str(file)]) == 0
    for model in (file, compiled):
        capsys.readouterr()
        assert main(["run", str(model)]) == 0
        out = capsys.readouterr().out
        assert "8 seeded random samples, not representative (give --inputs)" in out
        assert "random samples: nothing to score" in out
        assert "agrees with float" not in out
        assert "below 10 dB" not in out


@pytest.mark.parametrize("factory", ["half", "double"])
def test_a_model_that_stays_on_the_host_has_no_hardware_score(
    folder: Path, factory: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run_json(capsys, f"{folder}/net.py:{factory}")
    assert found["layers"] == []
    assert found["accuracy"]["hardware"] is None
    assert found["agreement"] == {"qdq": 1.0, "hardware": None}
    assert main(["run", f"{folder}/net.py:{factory}"]) == 0
    out = capsys.readouterr().out
    assert "Q/DQ 100.00 %  hardware –" in out
    assert "Nothing runs on the accelerator" in out
    assert "call .float() on the model" in out


def test_narrow_accumulator_is_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped = Path(qsim.__file__).parent / "targets" / "narrow20.toml"
    text = shipped.read_text(encoding="utf-8")
    tight = folder / "narrow12.toml"
    tight.write_text(re.sub(r"(?m)^bits = 20$", "bits = 12", text))
    arguments = (f"{folder}/net.py:make", "--target", str(tight))
    found = run_json(capsys, *arguments)
    hit = next(layer for layer in found["layers"] if layer["overflows"])
    assert hit["accumulator_bits_used"] > hit["accumulator_bits"] == 12
    assert hit["first_overflow"] is not None
    assert len(hit["first_overflow"]) == 1 + len(hit["shape"])
    assert main(["run", *arguments]) == 0
    out = capsys.readouterr().out
    assert f"saturated: {hit['name']} correlation (needs {hit['accumulator_bits_used']} bits" in (
        " ".join(out.split())
    )
