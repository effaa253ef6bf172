"""Help, tables of targets and models."""

from __future__ import annotations

from typing import Final

from tools.record.commands import Record, document, text
from tools.record.normal import ROOT

COMMANDS: Final = (
    *("run", "compile", "inspect", "targets", "models", "doctor", "cosim", "prove", "golden"),
    *("golden record", "golden check", "golden export", "golden import"),
)


def helps() -> dict[str, Record]:
    """Return the help of every command."""
    records = {"qsim": text("--help"), "alone": text(), "version": text("--version")}
    return records | {name: text(*name.split(), "--help") for name in COMMANDS}


def targets() -> dict[str, Record]:
    """Return the table of targets, every field of each, and where some differ."""
    names = [item["name"] for item in document("targets")["document"]["targets"]]
    pairs = (("tflite", "cmsis-nn"), ("tflite", "tflite-single"), ("q7", "q15"), ("q7", "q7"))
    return {
        "table": text("targets"),
        "object": document("targets"),
        **{name: text("targets", name) for name in names},
        **{f"{name} object": document("targets", name) for name in names},
        **{f"{one} {other}": text("targets", one, other) for one, other in pairs},
        **{f"{one} {other} object": document("targets", one, other) for one, other in pairs},
        "file": document("inspect", str(ROOT / "qsim" / "targets" / "tflite.toml")),
        "file text": text("inspect", str(ROOT / "qsim" / "targets" / "narrow20.toml")),
    }


def models() -> dict[str, Record]:
    """Return the table of models."""
    return {"table": text("models"), "object": document("models")}
