"""The command: it records, finds what changed, and counts what is equal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import qsim
from tests import networks
from tools.record.__main__ import main
from tools.record.plan import MODELS, TARGETS, select, units

PART = ["--only", "texts/models", "texts/targets"]


def test_what_is_recorded_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = str(tmp_path / "before.json"), str(tmp_path / "after.json")
    assert main([before, *PART]) == 0
    assert main([after, *PART, "--compare", before]) == 0
    out = capsys.readouterr().out
    assert "equal: 0 pairs, 2 other units, " in out
    document = json.loads(Path(before).read_text())
    document["entries"]["texts/targets"]["q7 object"]["document"]["memory"] = 1
    del document["entries"]["texts/models"]["object"]
    Path(before).write_text(json.dumps(document))
    assert main([after, *PART, "--compare", before]) == 1
    out = capsys.readouterr().out
    assert "texts/targets/q7 object/document/memory: 1 -> " in out
    assert "texts/models/object: missing -> {" in out
    assert "2 differences in 2 of 2 units" in out


def test_bad_usage_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "a.json"), *PART, "--compare", str(tmp_path / "gone.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit) as caught:
        main([str(tmp_path / "a.json"), "--only", "nothing/like/this"])
    assert caught.value.code == 2


def test_every_model_and_target_is_recorded() -> None:
    assert sorted(MODELS) == sorted(item.name for item in networks.IMAGES)
    assert sorted(TARGETS) == sorted(qsim.Target.names())
    names = [unit.name for unit in units()]
    assert len(set(names)) == len(names)
    assert len([name for name in names if name.startswith("pair/")]) == len(MODELS) * len(TARGETS)
    part = select(units(), ["digits"], ["q7"], ["pair/*"])
    assert [unit.name for unit in part] == ["pair/digits/q7"]
