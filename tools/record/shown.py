"""What people see of a run: tables, traces, the report, the memory map."""

from __future__ import annotations

from tools.record.commands import Record, document, text


def record(model: str, target: str) -> dict[str, Record]:
    """Return the texts, the trace and the report of a model on a target."""
    on = ("--target", target)
    few = ("--samples", "4")
    return {
        "run": text("run", model, *on, *few, timed=True),
        "verbose": text("run", model, *on, *few, "--verbose", timed=True),
        "codes": document("run", model, *on, *few, "--quantized-io"),
        "trace": document("run", model, *on, *few, "--trace", "trace", files=("trace",)),
        "report": text(
            "run", model, *on, *few, "--report", "r.html", timed=True, files=("r.html",)
        ),
        "compile": text("compile", model, "-o", "n.qsim", *on, files=("n.qsim",)),
        "inspect": text("inspect", "n.qsim", "--memory", "map.svg"),
        "codes file": document(
            *("compile", model, "-o", "c.qsim", *on, "--quantized-io"), files=("c.qsim",)
        ),
        "inspect codes": document("inspect", "c.qsim"),
    }
