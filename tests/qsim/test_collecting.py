"""The search for cycles is as it was before, whatever happens inside."""

from __future__ import annotations

import gc

import pytest

from qsim.collecting import no_collection


def test_it_is_paused_inside_and_on_again_after_an_error() -> None:
    assert gc.isenabled()
    with pytest.raises(ValueError, match="inside"):
        _fail_inside()
    assert gc.isenabled()


def _fail_inside() -> None:
    with no_collection():
        with no_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise ValueError("inside")


def test_who_has_turned_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with no_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
