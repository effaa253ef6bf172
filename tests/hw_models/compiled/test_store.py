"""The folder of compiled kernels: where, whose, how much, and what is deleted of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hw_models.compiled import store

KEYS = [f"{number:032x}" for number in range(12)]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(store, "_warned", False)
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "qsim" / "kernels"


def fill(root: Path, module: str, key: str, used: int, size: int = 10) -> Path:
    folder = root / f"{module}-{key}"
    folder.mkdir(parents=True)
    (folder / "f-1.0.1.nbc").write_bytes(b"x" * size)
    (folder / "f-1.0.nbi").write_bytes(b"")
    os.utime(folder, (used, used))
    return folder


def test_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.place() == tmp_path / ".cache" / "qsim" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert store.place() == tmp_path / ".cache" / "qsim" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert store.place() == Path("/somewhere/qsim/kernels")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/elsewhere")
    assert store.place() == Path("/elsewhere/qsim-kernels")


def test_it_is_made_private(root):
    folder = store.find("m", KEYS[0])
    assert folder == root / f"m-{KEYS[0]}"
    assert root.stat().st_mode & 0o777 == 0o700
    store.make(folder)
    store.make(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_others_can_read_is_closed(root):
    root.mkdir(parents=True)
    root.chmod(0o755)
    assert store.find("m", KEYS[0]) is not None
    assert root.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_what_others_can_write_is_not_used(root, mode):
    root.mkdir(parents=True)
    root.chmod(mode)
    with pytest.warns(store.KernelsNotKeptWarning, match="others can write in it"):
        assert store.find("m", KEYS[0]) is None
    assert store.find("m", KEYS[1]) is None  # and nothing more is said


def test_what_belongs_to_others_is_not_used(root, monkeypatch):
    root.mkdir(parents=True)
    monkeypatch.setattr(os, "getuid", lambda: root.stat().st_uid + 1)
    with pytest.warns(store.KernelsNotKeptWarning, match="belongs to somebody else"):
        assert store.find("m", KEYS[0]) is None


def test_a_link_is_not_followed(root, tmp_path):
    root.parent.mkdir(parents=True)
    (tmp_path / "other").mkdir(mode=0o700)
    root.symlink_to(tmp_path / "other")
    with pytest.warns(store.KernelsNotKeptWarning, match="it is no folder"):
        assert store.find("m", KEYS[0]) is None


def test_no_home(monkeypatch):
    def lost():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(store.Path, "home", lost)
    with pytest.warns(store.KernelsNotKeptWarning, match="home folder"):
        assert store.find("m", KEYS[0]) is None


def test_the_last_keys_of_each_module_stay(root):
    old = [fill(root, "a.b", key, used) for used, key in enumerate(KEYS[1:], 1000)]
    other = fill(root, "a", KEYS[1], 1)
    new = store.find("a.b", KEYS[0])
    assert new is not None
    store.make(new)
    gone = len(old) + 1 - store.MOST_KEYS
    assert [folder.exists() for folder in old] == [False] * gone + [True] * (len(old) - gone)
    assert new.exists()
    assert other.exists()


def test_what_a_killed_process_was_writing_goes(root):
    folder = fill(root, "m", KEYS[0], 1000)
    left, fresh = folder / "f-1.0.1.nbc.tmp.0123456789abcdef", folder / "f-1.0.nbi.tmp.0"
    for path in (left, fresh):
        path.write_bytes(b"half")
    os.utime(left, (1000, 1000))
    store.find("m", KEYS[0])
    assert not left.exists()
    assert fresh.exists()
    assert (folder / "f-1.0.1.nbc").exists()


def test_use_keeps_a_key(root):
    first, second, *_ = [fill(root, "m", key, used) for used, key in enumerate(KEYS[:8], 1000)]
    store.find("m", KEYS[0])
    new = store.find("m", KEYS[9])
    assert new is not None
    store.make(new)
    assert first.exists()
    assert not second.exists()


def test_the_oldest_go_until_the_rest_fits(root, monkeypatch):
    monkeypatch.setattr(store, "MOST_BYTES", 25)
    folders = [fill(root, f"m{index}", KEYS[0], index + 1) for index in range(4)]
    store.prune(root)
    assert [folder.exists() for folder in folders] == [False, False, True, True]
    store.prune(root, keep=folders[3])
    monkeypatch.setattr(store, "MOST_BYTES", 5)
    store.prune(root, keep=folders[3])
    assert [folder.exists() for folder in folders] == [False, False, False, True]


def test_nothing_else_is_counted_or_deleted(root, tmp_path):
    assert store.contents(root) == (0, 0)
    assert store.clear(root) == (0, 0)
    fill(root, "m", KEYS[0], 1)
    fill(root, "m", KEYS[1], 2, 30)
    mine = root / "notes"
    mine.mkdir()
    (root / "m-short").write_text("")
    outside = fill(tmp_path / "outside", "m", KEYS[2], 3)
    (root / outside.name).symlink_to(outside)
    assert store.contents(root) == (2, 40)
    assert store.clear(root) == (2, 40)
    assert sorted(path.name for path in root.iterdir()) == sorted(
        [mine.name, "m-short", outside.name]
    )
    assert (outside / "f-1.0.1.nbc").exists()
