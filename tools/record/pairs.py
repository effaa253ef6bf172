"""A model on a target: run, compiled into both files, inspected, run again from the file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tools.record.commands import Record, document

# digits has labelled samples and runs all of them; the others have seeded weights and few.
SAMPLES: Final = {"digits": None, "resnet18": 1, "mobilenet_v2": 1}
# What takes seconds to quantize is quantized twice, not thrice: its .qsim is made of the .pt2.
LARGE: Final = ("resnet18", "mobilenet_v2")


def record(model: str, target: str, *, name: str | None = None) -> dict[str, Record]:
    """Return the records of one pair; where the target refuses the model, those are its errors.

    Args:
        model: MODEL of the command line.
        target: a shipped target.
        name: stem of the files; the model's by default.
    """
    stem = name or model
    network, graph = f"{stem}.qsim", f"{stem}.pt2"
    on = ("--target", target)
    samples = SAMPLES.get(model, 2)
    few = () if samples is None else ("--samples", str(samples))
    records = {
        "run": document("run", model, *on, *few),
        "compile pt2": _without_size(document("compile", model, "-o", graph, *on, files=(graph,))),
    }
    if model in LARGE:
        made = Path(graph).exists()
        source = ("compile", graph, "-o", network) if made else ("compile", model, "-o", network)
        records["compile qsim"] = document(*source, *(() if made else on), files=(network,))
    else:
        records["compile qsim"] = document("compile", model, "-o", network, *on, files=(network,))
    if Path(graph).exists():
        records["inspect pt2"] = _without_size(document("inspect", graph))
    if Path(network).exists():
        records["inspect qsim"] = document("inspect", network)
        records["run qsim"] = document("run", network, "--samples", "2")
        if model not in LARGE:
            codes = ("run", network, "--samples", "2", "--quantized-io")
            records["run codes"] = document(*codes)
            records["run pt2"] = document("run", graph, "--samples", "2")
    return records


def _without_size(record: Record) -> Record:
    # A .pt2 has the paths of source files in its stack traces: its size is this folder's.
    record.get("document", {}).pop("bytes", None)
    return record
