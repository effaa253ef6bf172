"""A record grows line by line, survives an interrupt, and appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.record import store
from tools.record.store import Recording

ONE = {"unit": "a", "records": {"x": {"status": 0}}, "cpu": 1.0}
TWO = {"unit": "b", "records": {"y": {"status": 2}}, "cpu": 2.0}


def fresh(code: str = "sha256:1") -> Recording:
    return Recording(code, {"python": "3"})


def test_an_interrupted_record_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    store.start(path, fresh())
    store.append(path, ONE)
    with store.part_of(path).open("a") as file:
        file.write('{"unit": "b", "reco')
    found = store.resume(path, fresh())
    assert list(found.entries) == ["a"]
    store.start(path, found)
    store.append(path, TWO)
    found = store.resume(path, fresh())
    assert found.entries == {"a": ONE["records"], "b": TWO["records"]}
    assert not path.exists()
    store.write(path, found, ["b", "a"])
    assert [item.name for item in tmp_path.iterdir()] == ["r.json"]
    assert list(store.read(path).entries) == ["b", "a"]
    assert store.resume(path, fresh()) == store.read(path)


def test_a_record_of_other_code_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    store.start(path, fresh())
    store.append(path, ONE)
    with pytest.raises(ValueError, match="recorded of other code or elsewhere"):
        store.resume(path, fresh("sha256:2"))
    store.write(path, store.resume(path, fresh()), ["a"])
    with pytest.raises(ValueError, match="recorded of other code or elsewhere"):
        store.resume(path, fresh("sha256:2"))


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text('{"format": 9}')
    with pytest.raises(ValueError, match="no record of format 1"):
        store.read(path)
