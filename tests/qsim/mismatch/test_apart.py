"""Two runs of a network: differences of integers are told apart from those of floats."""

from __future__ import annotations

import numpy as np
import pytest

from qsim.errors import InputError
from qsim.mismatch import apart


def run() -> dict[str, np.ndarray]:
    return {
        "x": np.float32([1, 2, 3]),
        "x.codes": np.array([1, 2, 3], np.uint8),
        "y": np.float32([[0.5, -0.25]]),
    }


def test_equal_runs() -> None:
    found = apart(run(), run() | {"more": np.zeros(1)})
    assert found.first is None
    assert [len(found.integers), len(found.floats)] == [1, 2]
    assert found.lines() == ["integers: 1 tensors, all equal", "floats: 2 tensors, all equal"]


def test_each_kind_is_counted_for_itself() -> None:
    other = run()
    other["x.codes"] = np.array([1, 4, 2], np.uint8)
    other["y"] = np.nextafter(other["y"], np.float32(9)) * np.float32([[1, 1]])
    other["y"][0, 1] = -0.25
    found = apart(run(), other)
    assert found.first is not None
    assert found.first.name == "x.codes"
    assert (found.first.differing, found.first.largest) == (2, 2)
    assert str(found).splitlines() == [
        "integers: 1 of 1 tensors differ, in 2 of 3 elements, by up to 2 LSB",
        "floats: 1 of 2 tensors differ, in 1 of 5 elements, by up to 1 ULP",
        "first difference: x.codes",
        "  x.codes: 2 of 3, up to 2 LSB",
        "  y: 1 of 2, up to 1 ULP",
    ]


def test_what_cannot_be_compared() -> None:
    other = run() | {"y": np.float32([1])}
    found = apart(run(), other)
    assert found.floats[1].differing == 2
    assert found.lines()[-1] == "  y: shape differs"
    with pytest.raises(InputError, match="no tensor in common"):
        apart(run(), {"z": np.zeros(1, np.float32)})
