"""One model under two settings of the machine: the same network, the same integers."""

from __future__ import annotations

import pytest

from tests.tree import ROOT
from tools import same

# It has what differs between processors; the built-in models are the soak's.
MODEL = f"{ROOT}/tests/tools/tiny_net.py:net"
SETTINGS = {setting.name: setting for setting in same.SETTINGS}


def test_two_levels_of_simd_make_one_network() -> None:
    found = [
        same.start([MODEL], "tflite", SETTINGS[name])
        for name in ("default, 1 thread", "avx2, 2 threads")
    ]
    assert [result["threads"] for result in found[0] + found[1]] == [1, 2]
    levels = {result["level"] for result in found[0] + found[1]}
    if levels == {"DEFAULT"}:
        pytest.skip("this processor has one level")
    assert levels == {"DEFAULT", "AVX2"}
    for first, second in zip(*found, strict=True):
        assert first["network"] == second["network"]
        assert first["outputs"] == second["outputs"]


@pytest.mark.soak
@pytest.mark.parametrize("target", ["tflite", "q7", "onnxruntime", "tflite-int16x8"])
@pytest.mark.parametrize("name", ["digits", "resnet8", "mobilenet_v1", "ds_cnn", "autoencoder"])
def test_every_setting_makes_one_network(name: str, target: str) -> None:
    assert same.main([name, "--target", target]) == 0


@pytest.mark.soak
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_every_setting_makes_one_large_network(name: str) -> None:
    assert same.main([name]) == 0


def test_a_difference_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def start(models: object, target: str, setting: same.Setting) -> list[dict[str, object]]:
        del models, target
        digest = ("a" if setting.threads == 4 else "b") * 64
        return [{"network": digest, "outputs": "c" * 64, "level": "AVX2", "threads": 1}]

    monkeypatch.setattr(same, "start", start)
    assert same.main(["digits", "--settings", "avx2"]) == 1
    assert "0 of 1 models have one digest; these have not: digits" in capsys.readouterr().out
    assert same.main(["digits", "--settings", "avx2, 1,avx2, 2"]) == 1
    assert same.main(["digits", "--settings", "no oneDNN"]) == 0
