"""TOSA's files hold int4 constants as our packing does: the first code of a byte at its low end."""

from __future__ import annotations

import numpy as np
import pytest
import tosa_serializer as ts

import hw_models as hw
from hw_models.packing import pack
from tests.peers.tosa import model as tosa


@pytest.mark.parametrize("size", [1, 2, 7, 64, 225])
def test_int4_constants(size: int) -> None:
    codes = tosa.codes(np.random.default_rng(size), tosa.INT4, size)
    expected = pack(codes, hw.FixedFormat(4, narrow=True))
    graph = ts.TosaSerializer("")
    assert graph.convertDataToUint8Vec(ts.DType.INT4, codes) == expected.tolist()
