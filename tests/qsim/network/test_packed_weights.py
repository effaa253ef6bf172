"""Narrow weights lie packed in a file, and come back as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

import hw_models as hw
import qsim
from hw_models.packing import pack
from qsim import Target
from qsim.errors import QsimError
from qsim.network import reading, store
from qsim.network.document import to_document
from qsim.network.lowered import Lowered
from qsim.program.attributes import Array
from tests.qsim.network import nets as net


def narrow(bits: int) -> Target:
    document = Target.load("tflite").to_dict()
    document["weight"] |= {"bits": bits, "narrow": False}
    return Target.from_dict(document)


def network(bits: int, *, limit: int | None = None) -> Lowered:
    """The small network with weights of ``bits`` bits, or clipped to ``limit``."""
    form = hw.FixedFormat(bits)
    top = form.max if limit is None else limit
    constants = {
        name: np.clip(array, -top - 1, top) if name.endswith("weight") else array
        for name, array in net.constants().items()
    }
    return net.lowered(target=narrow(bits), programs=(net.program(constants=constants),))


def weights(lowered: Lowered) -> dict[str, Array]:
    constants = lowered.programs[0].constants
    return {name: array for name, array in constants.items() if name.endswith("weight")}


@pytest.mark.parametrize("bits", [2, 4])
def test_weights_are_packed_and_come_back(tmp_path: Path, bits: int) -> None:
    lowered, path = network(bits), tmp_path / "net.qsim"
    lowered.save(path)
    arrays, expected = load_file(path), weights(lowered)
    assert expected
    for name, array in expected.items():
        stored = arrays[f"0/{name}"]
        assert (stored.dtype, stored.size) == (np.uint8, -(-array.size * bits // 8))
        np.testing.assert_array_equal(stored, pack(array, hw.FixedFormat(bits)))
    again = reading.load(path)
    for name, array in lowered.programs[0].constants.items():
        assert again.programs[0].constants[name].dtype == array.dtype
        np.testing.assert_array_equal(again.programs[0].constants[name], array)
    assert store.to_bytes(again) == path.read_bytes()
    np.testing.assert_array_equal(again(net.reals()), lowered(net.reals()))


def test_other_weights_stay_as_they_are() -> None:
    """Widths that do not divide a byte, and codes outside the target's weight format."""
    for lowered in (network(3), network(4, limit=100), network(8)):
        document, arrays = to_document(lowered)
        assert "packed" not in document["programs"][0]  # type: ignore[index,operator]
        for name, array in weights(lowered).items():
            np.testing.assert_array_equal(arrays[f"0/{name}"], array)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv.weight": [1, 1]}, "packed must be 1 bytes for 1 codes of 4 bits"),
        ({"no such": [2]}, "packed must give the shapes of constants"),
        (["conv.weight"], "packed must give the shapes of constants"),
        ({"conv.weight": [-1, 2]}, "packed must be|shape must be sizes"),
        ({"conv.weight": "2"}, "a shape must be a list of sizes"),
        ({"conv.bias": [2]}, "packed must be 1 bytes"),
    ],
)
def test_a_file_that_says_otherwise_is_refused(change: Any, message: str) -> None:
    document, arrays = to_document(network(4))
    document["programs"][0]["packed"] = change  # type: ignore[index,call-overload]
    with pytest.raises(QsimError, match=message) as caught:
        reading.from_bytes(store.pack({"format_version": store.FORMAT_VERSION, **document}, arrays))
    assert "\n" not in str(caught.value)


def test_a_target_without_narrow_weights_has_none() -> None:
    document, arrays = to_document(network(4))
    document["target"]["weight"]["bits"] = 8  # type: ignore[index,call-overload]
    document["target_hash"] = narrow(8).hash
    with pytest.raises(QsimError, match="form must be a FixedFormat of 1, 2 or 4 bits"):
        reading.from_bytes(store.pack({"format_version": store.FORMAT_VERSION, **document}, arrays))


class Joined(nn.Module):
    """Two convolutions whose results a primitive of any number of operands joins."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.a(x)
        return torch.cat([a, self.b(x), a], 1)


def test_a_network_with_a_concat_is_kept(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 4)
    lowered = qsim.lower(qsim.quantize(Joined().eval(), (x,), Target.load("int4")))
    lowered.save(tmp_path / "net.qsim")
    again = reading.load(tmp_path / "net.qsim")
    assert "concat" in [call.primitive for call in again.programs[0].calls]
    np.testing.assert_array_equal(again(x), lowered(x))
