"""Calls through RTL on simulators, in both lanes, and proofs."""

from __future__ import annotations

import shutil
from pathlib import Path

from tools.record.commands import Record, document, text
from tools.record.normal import ROOT


def network(target: str, simulator: str, lane: str, *options: str) -> dict[str, Record]:
    """Return every call of one run of digits."""
    command = ("cosim", "digits", "--target", target, "--simulator", simulator, "--lane", lane)
    return {"digits": document(*command, "--jobs", "1", *options)}


def primitive(folder: str, simulator: str, lane: str, *options: str) -> dict[str, Record]:
    """Return the calls of a committed golden set."""
    shutil.copytree(ROOT / "golden" / folder, Path("golden") / folder)
    command = ("cosim", f"golden/{folder}", "--simulator", simulator, "--lane", lane)
    return {"set": document(*command, "--jobs", "1", *options)}


def own_design() -> dict[str, Record]:
    """Return the example of a design of one's own: right, wrong (with waves), wrongly bound."""
    shutil.copytree(ROOT / "golden" / "requantize", Path("golden") / "requantize")
    shutil.copytree(ROOT / "rtl_tb" / "examples" / "scaler", "right")
    for name, old, new in (
        ("wrong", "TIES_AWAY = 1\n", "TIES_AWAY = 0\n"),
        ("bound", 'port = "acc"', 'port = "accu"'),
    ):
        shutil.copytree("right", name)
        binding = Path(name) / "scaler.toml"
        binding.write_text(binding.read_text().replace(old, new))
    command = ("cosim", "golden/requantize", "--simulator", "icarus", "--jobs", "1", "--dut")
    waves = ("cosim-waves",)
    return {
        "right": document(*command, "right/scaler.toml"),
        "wrong": document(*command, "wrong/scaler.toml", "--waves", files=waves),
        "wrong text": text(*command, "wrong/scaler.toml", timed=True),
        "wrongly bound": document(*command, "bound/scaler.toml"),
    }


def drawn(target: str) -> dict[str, Record]:
    """Return drawn vectors with stalls, and the text of a run."""
    command = ("cosim", "requantize", "--target", target, "--simulator", "icarus", "--jobs", "1")
    stalls = ("--vectors", "2000", "--seed", "3", "--stall", "0.3")
    return {
        "drawn": document(*command, *stalls),
        "text": text(*command, timed=True),
    }


def proof(*arguments: str) -> dict[str, Record]:
    """Return a proof as an object and as text."""
    command = ("prove", *arguments, "--jobs", "1")
    return {"object": document(*command), "text": text(*command, timed=True)}
