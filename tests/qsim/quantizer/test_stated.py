"""Formats that a config fixes for inputs and outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qsim import QuantizeConfig, Quantized, Target, quantize
from qsim.errors import UsageError
from qsim.quantizer.stated import Stated


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.last = nn.Conv2d(2, 3, 3), nn.Linear(12, 4)

    def forward(self, image: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z = self.last(torch.max_pool2d(self.conv(image), 2).flatten(1))
        return z, torch.cumsum(y, 1), z.argmax(1)


INPUTS = (torch.linspace(-1, 1, 144).reshape(2, 2, 6, 6), torch.ones(2, 3))


def made(target: str = "tflite", **config: Any) -> Quantized:
    return quantize(Net().eval(), INPUTS, Target.load(target), config=config)


def found(quantized: Quantized) -> dict[str, tuple[float, int]]:
    """Return scale and zero point of every quantized tensor, by the name of its float node."""
    return {
        str(node.args[0]): (node.args[1], node.args[2])
        for node in quantized.graph.graph.nodes
        if "quantize_per_tensor" in str(node.target) and not str(node.target).count("dequantize")
    }


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("Q0.7", Stated(2.0**-7, 0, 8, signed=True)),
        ("Q7", Stated(2.0**-7, 0, 8, signed=True)),
        ("Q15", Stated(2.0**-15, 0, 16, signed=True)),
        ("Q3.4", Stated(2.0**-4, 0, 8, signed=True)),
        ("UQ0.8", Stated(2.0**-8, 0, 8, signed=False)),
        ({"scale": 0.1, "zero_point": -3}, Stated(0.10000000149011612, -3)),
        ({"scale": 1}, Stated(1.0)),
    ],
)
def test_the_forms_that_are_read(text: Any, fixed: Stated) -> None:
    assert Stated.read(text, "here") == fixed
    assert Stated.read(fixed.plain(), "here") == fixed


@pytest.mark.parametrize(
    "value",
    [
        *("", "Q", "Q0.7 ", "7", "Q-1.8", "R7", 7, None, [], {}, {"zero_point": 0}),
        *({"scale": 0.0}, {"scale": float("nan")}, {"scale": float("inf")}, {"scale": True}),
        *({"scale": "1"}, {"scale": 1.0, "bits": 8}, {"scale": 1.0, "zero_point": 1.0}),
    ],
)
def test_what_is_no_format_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match=r"^here: "):
        Stated.read(value, "here")


def test_inputs_and_outputs_have_what_the_config_fixes() -> None:
    calibrated = found(made())
    fixed = found(made(inputs={"image": "Q0.7"}, outputs={"0": {"scale": 0.25, "zero_point": 9}}))
    assert (fixed["image"], fixed["linear"]) == ((2.0**-7, 0), (0.25, 9))
    # Nothing else changes but the biases, which follow the input.
    assert fixed["conv2d"] == calibrated["conv2d"]
    assert calibrated["image"] != fixed["image"]
    assert found(made(inputs={"0": "Q7"}))["image"] == (2.0**-7, 0)


def test_what_shares_parameters_with_an_output_has_them_too() -> None:
    class Pool(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return torch.max_pool2d(self.conv(x), 2)

    config = {"outputs": {"0": "Q1.6"}}
    quantized = quantize(Pool().eval(), INPUTS[:1], Target.load("q7"), config=config)
    assert {found(quantized)[name] for name in ("conv2d", "max_pool2d")} == {(2.0**-6, 0)}


class Clip(nn.Module):
    """Input and output share parameters."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.max_pool2d(x, 2)


def test_fixed_formats_that_disagree_are_refused() -> None:
    config = {"inputs": {"x": "Q0.7"}, "outputs": {"0": "Q1.6"}}
    message = r"config.outputs.0: has other parameters than config.inputs.x, with which it shares"
    with pytest.raises(UsageError, match=message):
        quantize(Clip().eval(), INPUTS[:1], Target.load("q7"), config=config)
    config["outputs"]["0"] = "Q7"
    quantized = quantize(Clip().eval(), INPUTS[:1], Target.load("q7"), config=config)
    assert set(found(quantized).values()) == {(2.0**-7, 0)}


@pytest.mark.parametrize(
    ("target", "config", "message"),
    [
        (
            "q7",
            {"inputs": {"x": "Q7"}},
            r"config.inputs: the network has no 'x' .accepted: image",
        ),
        ("q7", {"outputs": {"3": "Q7"}}, r"outputs: the network has no '3' .accepted: 0, 1, 2"),
        ("q7", {"inputs": {"y": "Q7"}}, r"config.inputs.y: it has no codes"),
        ("q7", {"outputs": {"1": "Q7"}}, r"config.outputs.1: it has no codes"),
        ("q7", {"outputs": {"2": "Q7"}}, r"config.outputs.2: it has no codes"),
        ("q7", {"inputs": {"image": "Q15"}}, r"is Q0.15 .accepted: 8 bits, signed"),
        ("q7", {"inputs": {"image": "UQ0.8"}}, r"is UQ0.8 .accepted: 8 bits, signed"),
        ("q7", {"inputs": {"image": {"scale": 0.3}}}, "scale 0.300000012, .* is power_of_two"),
        ("q7", {"inputs": {"image": {"scale": 0.5, "zero_point": 1}}}, "zero point 1, but"),
        ("tflite", {"inputs": {"image": {"scale": 0.5, "zero_point": 128}}}, "-128..127"),
        ("q7", {"inputs": ["Q7"]}, r"config.inputs: is \['Q7'\]"),
    ],
)
def test_what_the_network_or_the_target_does_not_have_is_refused(
    target: str, config: Any, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        made(target, **config)


def test_a_config_file_says_it_in_two_lines(tmp_path: Path) -> None:
    path = tmp_path / "q.toml"
    path.write_text('[inputs]\nimage = "Q0.7"\n[outputs]\n0 = {scale = 0.25}\n')
    config = QuantizeConfig.load(path)
    assert config.inputs == {"image": Stated(2.0**-7, 0, 8, signed=True)}
    assert config.outputs == {"0": Stated(0.25)}
    assert QuantizeConfig.from_dict(config.to_dict()) == config
