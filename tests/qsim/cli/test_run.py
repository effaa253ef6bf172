"""`qsim run`: the numbers that it computes, of a small model of one's own and of digits."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import qsim
from qsim.cli import main
from qsim.report.evaluate import outputs_digest
from tests.qsim.cli.models import (
    LAYER_KEYS,
    RUN_KEYS,
    compile_model,
    run_json,
    samples,
    write_models,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory)


@pytest.fixture(scope="module")
def compiled(folder: Path) -> Path:
    return compile_model(folder)


def test_json_keys_are_the_surface(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, f"{folder}/net.py:make")
    assert list(found) == RUN_KEYS
    assert list(found["target"]) == ["name", "hash"]
    assert list(found["accuracy"]) == ["float", "qdq", "hardware"]
    assert found["samples"] == 20
    assert all(0 <= found["accuracy"][name] <= 1 for name in found["accuracy"])
    assert re.fullmatch("[0-9a-f]{64}", found["outputs_sha256"])
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert all(list(layer) == LAYER_KEYS for layer in found["layers"])
    assert layers["conv"]["macs"] == 4 * 25 * 9
    assert layers["head"]["macs"] == 300
    assert layers["conv"]["shape"] == [4, 5, 5]
    assert layers["conv"]["accumulator_bits"] == 32
    assert layers["conv"]["elements"] == 20 * 100


def test_batch_size_changes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = f"{folder}/net.py:make"
    whole, single, odd = (
        run_json(capsys, model, "--batch", size, "--threads", threads)
        for size, threads in (("20", "1"), ("1", "1"), ("7", "2" if _cpus() > 1 else "1"))
    )
    # The Q/DQ graph is fp32: how it sums may depend on the batch, so what is compared with it may
    # too. What the hardware model computes may not.
    exact = [*LAYER_KEYS[:4], *LAYER_KEYS[7:11], "elements", "first_overflow", "accumulators"]
    for other in (single, odd):
        assert other["outputs_sha256"] == whole["outputs_sha256"]
        assert other["accuracy"]["hardware"] == whole["accuracy"]["hardware"]
        for mine, theirs in zip(other["layers"], whole["layers"], strict=True):
            assert [mine[key] for key in exact] == [theirs[key] for key in exact]


def _cpus() -> int:
    import numba

    return int(numba.config.NUMBA_NUM_THREADS)


def test_codes_and_floats_are_the_same_run(
    folder: Path, compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Integer I/O given floats quantizes them; given those codes it must compute the same."""
    from qsim import load

    lowered = load(compiled).quantized_io()
    spec = lowered.inputs[0]
    np.save(folder / "float.npy", samples())
    import hw_models

    codes = hw_models.quantize(samples(), spec.scale, spec.zero_point, output=spec.format)
    np.save(folder / "codes.npy", codes)
    np.save(folder / "wide.npy", codes.astype(np.int64))
    digests = {
        run_json(capsys, str(compiled), "--quantized-io", "--inputs", f"{folder}/{name}.npy")[
            "outputs_sha256"
        ]
        for name in ("float", "codes", "wide")
    }
    assert digests == {outputs_digest([lowered(codes)])}
    assert lowered(codes).dtype == np.int8


def test_accuracy_of_codes_is_accuracy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real = run_json(capsys, f"{folder}/net.py:make")
    codes = run_json(capsys, f"{folder}/net.py:make", "--quantized-io")
    assert codes["accuracy"] == real["accuracy"]
    assert codes["quantized_io"] is True
    assert codes["outputs_sha256"] != real["outputs_sha256"]


def test_two_inputs_and_two_outputs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = np.ones((6, 4), np.float32), np.ones((6, 5), np.float32)
    np.save(folder / "x4.npy", x)
    np.save(folder / "y5.npy", y)
    both = ("--inputs", f"{folder}/x4.npy", "--inputs", f"{folder}/y5.npy")
    found = run_json(capsys, f"{folder}/net.py:two", *both, "--batch", "4", "--samples", "5")
    assert found["samples"] == 5
    assert found["source"].startswith("the first 5 of 6 samples of")
    assert [layer["macs"] for layer in found["layers"]][:2] == [12, 15]
    swapped = (both[2], both[3], both[0], both[1])
    assert main(["run", f"{folder}/net.py:two", *swapped]) == 2
    assert "has shape (6, 5) (accepted: x (N, 4))" in capsys.readouterr().err
    np.save(folder / "y5.npy", y[:5])
    assert main(["run", f"{folder}/net.py:two", *both]) == 2
    assert "the inputs have 6, 5 samples" in capsys.readouterr().err


def test_labels_give_a_compiled_file_its_accuracy(
    folder: Path, compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(folder / "x.npy", samples())
    np.save(folder / "y.npy", np.arange(20) % 3)
    np.save(folder / "y_big.npy", (np.arange(20) % 3).astype(">u2"))
    capsys.readouterr()
    direct = run_json(capsys, f"{folder}/net.py:make")["accuracy"]
    for model, known in ((str(compiled), ["hardware"]), (f"{folder}/net.py:bare", [*direct])):
        for labels in ("y", "y_big"):
            given = (
                *("--inputs", f"{folder}/x.npy"),
                *("--labels", f"{folder}/{labels}.npy"),
            )
            found = run_json(capsys, model, *given)
            assert found["source"].endswith(f"labels of {folder}/{labels}.npy")
            assert [key for key in direct if found["accuracy"][key] is not None] == known
            if model == str(compiled):
                assert found["accuracy"]["hardware"] == direct["hardware"]
    part = run_json(capsys, str(compiled), *given, "--samples", "3")
    codes = qsim.load(compiled)(samples()[:3])
    assert part["accuracy"]["hardware"] == (codes.argmax(1) == [0, 1, 2]).mean()
    assert main(["run", str(compiled), *given, "--report", f"{folder}/labels.html"]) == 0
    assert "accuracy    hardware" in capsys.readouterr().out
    assert f"--labels {folder}/y_big.npy" in (folder / "labels.html").read_text()


def test_byte_order_changes_nothing(
    folder: Path, compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    found = []
    for order in "<>":
        np.save(folder / f"order{order}.npy", samples().astype(f"{order}f4"))
        inputs = ("--inputs", f"{folder}/order{order}.npy")
        found.append(run_json(capsys, str(compiled), *inputs)["outputs_sha256"])
        codes = (np.arange(500).reshape(20, 1, 5, 5) % 100).astype(f"{order}i2")
        np.save(folder / f"codes{order}.npy", codes)
        inputs = ("--inputs", f"{folder}/codes{order}.npy", "--quantized-io")
        found.append(run_json(capsys, str(compiled), *inputs)["outputs_sha256"])
    assert found[:2] == found[2:]
    assert found[0] != found[1]


def test_a_fixed_batch_is_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = f"{folder}/net.py:static"
    found = run_json(capsys, model)
    assert found["samples"] == 4
    assert found["layers"][0]["macs"] == 12
    assert main(["run", model, "--batch", "4"]) == 2
    assert "batches of 2 only, not 4" in capsys.readouterr().err
    assert main(["run", model, "--samples", "3"]) == 2
    assert "a multiple of 2 samples" in capsys.readouterr().err


def test_config_reaches_the_quantizer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = folder / "skip.toml"
    config.write_text('[modules."conv"]\nskip = true\n')
    found = run_json(capsys, f"{folder}/net.py:make", "--config", str(config))
    assert [item["layer"] for item in found["host_operators"]].count("conv") >= 1
    assert "conv" not in [layer["name"] for layer in found["layers"]]


def test_digits_is_right_on_real_data(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "digits")
    assert found["samples"] > 400
    assert found["accuracy"]["float"] >= 0.98
    assert found["accuracy"]["hardware"] >= 0.975
    assert found["host_operators"] == []
    assert sum(layer["macs"] for layer in found["layers"]) > 100_000
