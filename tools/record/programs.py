"""ExecuTorch programs and bundles: compiled, run, inspected, compared, traced."""

from __future__ import annotations

from tools.record.commands import Record, document, text


def record(model: str, target: str) -> dict[str, Record]:
    """Return the records of a model's ``.pte`` with floats at its boundary, and with integers."""
    on = ("--target", target)
    few = ("--samples", "4")
    made = document(*("compile", model, "-o", "f.pte", *on, "--max-batch", "4"), files=("f.pte",))
    integers = ("compile", model, "-o", "i.pte", *on, "--batch", "1", "--quantized-io")
    return {
        "compile floats": made,
        "compile integers": document(*integers, files=("i.pte",)),
        "inspect floats": document("inspect", "f.pte"),
        "inspect integers": document("inspect", "i.pte"),
        "run floats": document("run", "f.pte", *few),
        "run integers": document("run", "i.pte", *few),
        "compare with the graph": document("run", "f.pte", *few, "--compare", model),
        "compare with the other": document("run", "f.pte", *few, "--compare", "i.pte"),
    }


def shown(target: str) -> dict[str, Record]:
    """Return what people see of digits' program, and its trace; and a network with a host."""
    on = ("--target", target)
    mixed = ("compile", "tools.record.networks:mixed", "-o", "mixed.pte")
    whole = ("compile", "tools.record.networks:mixed", "-o", "whole.pte", "--whole")
    return {
        "compile": text("compile", "digits", "-o", "d.pte", *on, "--whole", files=("d.pte",)),
        "inspect": text("inspect", "d.pte", "--memory", "map.svg"),
        "run": text("run", "d.pte", "--samples", "2", timed=True),
        "compare": text("run", "d.pte", "--samples", "2", "--compare", "digits", timed=True),
        "trace": document(
            *("run", "d.pte", "--samples", "2", "--trace", "trace"), files=("trace",)
        ),
        "mixed": document(*mixed, *on, files=("mixed.pte",)),
        "mixed text": text(*mixed, *on),
        "whole": document(*whole, *on),
        "inspect mixed": document("inspect", "mixed.pte"),
        "run mixed": document("run", "mixed.pte", "--samples", "2"),
        "run mixed text": text("run", "mixed.pte", "--samples", "2", timed=True),
    }


def bundles(target: str) -> dict[str, Record]:
    """Return the records of golden sets as bundled programs, there and back."""
    on = ("--target", target)
    integers = ("--batch", "1", "--quantized-io")
    return {
        "program": document(*("compile", "digits", "-o", "d.pte", *on, *integers)),
        "set": document("golden", "record", "digits", "-o", "set", *on, "--samples", "2"),
        "export": document(
            *("golden", "export", "set", "--program", "d.pte", "-o", "d.bpte"), files=("d.bpte",)
        ),
        "inspect": document("inspect", "d.bpte"),
        "run": document("run", "d.bpte"),
        "run text": text("run", "d.bpte", timed=True),
        "import": document("golden", "import", "d.bpte", "-o", "back", files=("back",)),
        "check": document("golden", "check", "back"),
        "directed": document("golden", "record", "requantize", "-o", "rq", *on, "--count", "64"),
        "export directed": document(
            *("golden", "export", "rq", "-o", "rq.bpte"), files=("rq.bpte",)
        ),
        "run directed": document("run", "rq.bpte"),
        "import directed": document("golden", "import", "rq.bpte", "-o", "rq_back"),
        "import directed text": text("golden", "import", "rq.bpte", "-o", "again"),
        "both": document("golden", "check", "rq_back", files=("rq", "rq_back")),
    }
