"""Golden sets: of digits, of a network with more operators, directed ones, the committed ones."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

from tools.record.commands import Record, document, text
from tools.record.normal import ROOT

PRIMITIVES: Final = (
    *("add", "avg_pool", "bias_add", "correlation", "linear", "lookup", "matmul", "max_pool"),
    "requantize",
)
SHIPPED: Final = ROOT / "golden"


def of_network(model: str, target: str) -> dict[str, Record]:
    """Return a set of a network's run: its files, the check, the hex files."""
    return {
        "record": document(
            *("golden", "record", model, "-o", "set", "--target", target), files=("set",)
        ),
        "check": document("golden", "check", "set", "--target", target),
        "export": document("golden", "export", "set", "-o", "hex", files=("hex",)),
    }


def directed(target: str) -> dict[str, Record]:
    """Return the directed vectors of every primitive that has some; refusals where it lacks one."""
    records = {}
    for primitive in PRIMITIVES:
        # One sum of a correlation has 33,000 products: enough without random ones.
        count = "1" if primitive in ("correlation", "linear", "matmul") else "256"
        made = ("golden", "record", primitive, "-o", primitive, "--target", target)
        records[primitive] = document(*made, "--count", count, files=(primitive,))
    return records


def shipped(folder: str) -> dict[str, Record]:
    """Return the check of a committed set, its files and its hex files."""
    shutil.copytree(SHIPPED / folder, folder)
    return {
        "check": document("golden", "check", folder, files=(folder,)),
        "check text": text("golden", "check", folder),
        "export": document("golden", "export", folder, "-o", "hex", files=("hex",)),
    }


def damaged() -> dict[str, Record]:
    """Return what a check says of a set that differs, is damaged, or is for another target."""
    from qsim import golden

    for name in ("whole", "short", "edited"):
        shutil.copytree(SHIPPED / "requantize", name)
    first = sorted(Path("short").glob("*.safetensors"))[0]
    first.write_bytes(first.read_bytes()[:-1])
    manifest = Path("edited") / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"model": "', '"model": "m', 1))
    whole = golden.load("whole")
    wrong = [replace(case, expected=case.expected ^ 1) for case in whole.cases[:2]]
    golden.write([*wrong, *whole.cases[2:]], "wrong", whole.target, seed=0)
    return {
        "wrong": document("golden", "check", "wrong", files=("wrong",)),
        "wrong text": text("golden", "check", "wrong"),
        "short": document("golden", "check", "short"),
        "edited": document("golden", "check", "edited"),
        "other target": document("golden", "check", "whole", "--target", "q7"),
        "nowhere": document("golden", "check", "nowhere"),
        "there already": document("golden", "record", "requantize", "-o", "whole"),
        "forced": document(
            *("golden", "record", "lookup", "-o", "whole", "--force", "--count", "1"),
            files=("whole",),
        ),
        "no primitive": document("golden", "record", "requantise", "-o", "new"),
    }
