"""What the tests of a simulation share: its ports, its description, the files that it writes."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rtl_tb.tb import job
from rtl_tb.tb.bench import KINDS
from rtl_tb.tb.ports import Ports

if TYPE_CHECKING:
    from rtl_tb.tb.bench import Outcome

# The environment variable that names the description.
VARIABLE: Final = "QSIM_COCOTB_JOB"


@cache
def description() -> job.Description:
    """Return what this simulation was started for."""
    return job.load(_path())


def ports(top: Any) -> Ports:
    """Return access to the top module's signals, with the clock running."""
    return Ports(top, description().job.inputs.width)


def write_results(outcome: Outcome) -> None:
    """Write what a run found, in the format of ``stream_bulk_tb.sv``."""
    nonce = description().nonce
    lines = [f"bulk {nonce}"]
    lines += [difference.line() for difference in outcome.differences]
    lines += [
        f"P {KINDS.index(kind)} {cycle} {idle}" for kind, (cycle, idle) in outcome.problems.items()
    ]
    lines.append(
        f"end {nonce} {outcome.cycles} {outcome.beats_in} {outcome.beats_out} {outcome.differing}"
        f" {outcome.zero}"
    )
    if outcome.window:
        write("window.txt", "\n".join([*outcome.window, ""]))
    write("results.txt", "\n".join([*lines, ""]))


def write(name: str, text: str) -> None:
    """Write a file beside the description: whole or not at all."""
    path = _path().with_name(name)
    temporary = path.with_name(f".{name}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _path() -> Path:
    return Path(os.environ[VARIABLE])
