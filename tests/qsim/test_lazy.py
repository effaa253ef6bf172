"""Names of a package that are imported when somebody asks for them."""

from __future__ import annotations

import math
import sys
from types import ModuleType

import pytest

from qsim import lazy


def test_a_name_is_found_where_it_is_at_home_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("rooms")
    monkeypatch.setitem(sys.modules, "rooms", package)
    find = lazy.getter("rooms", {"isqrt": "math"})
    assert not hasattr(package, "isqrt")
    assert find("isqrt") is math.isqrt
    assert package.isqrt is math.isqrt
    with pytest.raises(AttributeError, match="module 'rooms' has no attribute 'cbrt'"):
        find("cbrt")
