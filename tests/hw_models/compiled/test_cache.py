"""Kernels of a small module: what they are kept by, who sees it, and what cannot be kept."""

from __future__ import annotations

import dataclasses
import errno
import importlib
import itertools

import llvmlite
import numba
import numpy as np
import pytest
from numba.core.registry import cpu_target

from hw_models.compiled import kernel, observe, part, store
from hw_models.compiled.adapter import Toolchain, key
from tests.hw_models.compiled.programs import MODULE, finish, start

NUMBERS = itertools.count()
USE = "from small import scaled\nresult = {}"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A folder of kernels of this test's own."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "_warned", False)
    return tmp_path / "cache" / "qsim" / "kernels"


@pytest.fixture
def small(cache, tmp_path, monkeypatch):
    """Import the small module, under a new name each time: as a new process would see it."""
    name = f"small{next(NUMBERS)}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module(name)


def files(cache):
    return sorted(path.relative_to(cache).as_posix() for path in cache.rglob("*") if path.is_file())


def test_events_are_told_to_who_looks(small):
    events, after = [], []
    with observe(after.append):
        pass
    with observe(events.append):
        assert small.scaled(2, 3) == 7
        assert small.scaled(2, 3) == 7
    assert small.scaled(2.0, 3.0) == 7.0
    assert after == []
    name = small.__name__
    assert [(e.kernel, e.signature, e.state) for e in events] == [
        (f"{name}.scaled", "(int64, int64)", "compiling"),
        (f"{name}._twice", "(int64)", "compiling"),
        (f"{name}._twice", "(int64)", "compiled"),
        (f"{name}.scaled", "(int64, int64)", "compiled"),
    ]
    seconds = [event.seconds for event in events]
    assert seconds[:2] == [0.0, 0.0]
    assert 0 < seconds[2] < seconds[3]


def test_a_kernel_is_kept_and_a_part_is_not(small, cache):
    small.scaled(1, 1)
    small.scaled(1.0, 1)
    names = [name.rpartition("/")[2].partition("-")[0] for name in files(cache)]
    assert names == ["scaled"] * 4  # an index and a data file of each signature
    assert store.contents(cache).kernels == 2
    small.scaled.recompile()
    assert store.contents(cache).kernels == 2


def test_damaged_files_are_made_anew(tmp_path, cache):
    use = USE.format("[scaled(2, 3), scaled(2.0, 3.0)]")
    (tmp_path / "small.py").write_text(MODULE)
    everything = (tmp_path, tmp_path / "cache")
    result, events, _ = finish(start(use, *everything))
    assert result == [7, 7.0]
    assert ["scaled", "compiled"] in events
    for path in cache.rglob("*.nb?"):
        path.write_bytes(path.read_bytes()[:50] if path.suffix == ".nbc" else b"\0")
    result, events, errors = finish(start(use, *everything))
    assert result == [7, 7.0]
    assert events != [["scaled", "loaded"]] * 2
    assert errors == ""
    result, events, _ = finish(start(use, *everything))
    assert events == [["scaled", "loaded"]] * 2


def test_processes_at_once_lose_nothing_of_each_other(tmp_path):
    (tmp_path / "small.py").write_text(MODULE)
    calls = "[scaled(2, 3), scaled(2.0, 3.0)]", "[scaled(2.0, 3.0), scaled(2, 3)]"
    both = [start(USE.format(call), tmp_path, tmp_path / "cache") for call in calls]
    assert [finish(process)[0] for process in both] == [[7, 7.0], [7.0, 7]]
    result, events, _ = finish(start(USE.format(calls[0]), tmp_path, tmp_path / "cache"))
    assert result == [7, 7.0]
    assert events == [["scaled", "loaded"]] * 2


def test_another_toolchain_is_another_key(monkeypatch):
    codegen = cpu_target.target_context.codegen()
    mine = Toolchain.of(codegen)
    assert (mine.numba, mine.llvmlite, mine.numpy) == (
        numba.__version__, llvmlite.__version__, np.__version__
    )  # fmt: skip
    assert "+" in mine.features or mine.processor
    keys = {key("sources", mine), key("other sources", mine)}
    for field in dataclasses.fields(mine):
        changed = getattr(mine, field.name) + " "
        keys.add(key("sources", dataclasses.replace(mine, **{field.name: changed})))
    assert len(keys) == 2 + len(dataclasses.fields(mine))
    monkeypatch.setattr(numba, "__version__", "0.0")
    monkeypatch.setattr(numba.core.config, "BOUNDSCHECK", 1)
    other = Toolchain.of(codegen)
    assert other.numba == "0.0"
    assert other.settings != mine.settings


@pytest.mark.parametrize("blocked", ["XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "HOME"])
def test_a_home_that_cannot_be_written(tmp_path, blocked):
    (tmp_path / "small.py").write_text(MODULE)
    (tmp_path / "file").write_text("")
    places = {blocked: str(tmp_path / "file" / "within")}
    if blocked == "HOME":
        places["XDG_CACHE_HOME"] = ""
    use = USE.format("[scaled(2, 3), scaled(2.0, 3.0)]")
    result, events, errors = finish(start(use, tmp_path, tmp_path / "cache", **places))
    assert result == [7, 7.0]
    assert ["scaled", "compiled"] in events
    assert errors.count("KernelsNotKeptWarning") == 1
    assert "not a directory; qsim doctor tells what helps" in errors


def test_a_full_disk_costs_no_result(small, monkeypatch):
    def full(_folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "make", full)
    with pytest.warns(store.KernelsNotKeptWarning, match="no space left on device") as warned:
        results = small.scaled(2, 3), small.scaled(2.0, 3.0)
    assert results == (7, 7.0)
    assert len(warned) == 1


def test_room_that_is_made_meanwhile(small, cache, monkeypatch):
    make, calls = store.make, []

    def gone_once(folder):
        make(folder)
        calls.append(folder)
        if len(calls) == 1:
            folder.rmdir()

    monkeypatch.setattr(store, "make", gone_once)
    assert small.scaled(2, 3) == 7
    assert store.contents(cache).kernels == 1


def test_closures_and_numbas_own_cache_are_refused():
    bound = 3

    def adds(x):
        return x + bound

    with pytest.raises(TypeError, match="adds holds variables of another function"):
        kernel(adds)
    for decorator in (kernel, part):
        with pytest.raises(TypeError, match="cache is no option"):
            decorator(cache=True)
    assert part(adds)(2) == 5
