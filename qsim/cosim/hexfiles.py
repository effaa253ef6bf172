"""Golden cases as ``$readmemh`` files: the beats that go into a unit and those that come out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim import atomic
from qsim.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from qsim.cosim.jobs import Flags, Job, Layout, Words
    from qsim.golden import GoldenSet

VERSION: Final = 1
_README: Final = """\
Golden vectors as $readmemh files, written by `qsim golden export`.

CASE.in.hex   the beats to send, one a line
CASE.out.hex  the beats that must come out, one a line
CASE.map.txt  which element of the result each lane of an output beat holds: its flat index in C
              order, one line per beat, lane 0 first; -1 where the lane holds none
layout.json   for each case: the module and its parameters (empty where qsim has no RTL for it), the
              fields of both beats, the shape of the result

A line is {tlast, tdata}: ceil((width + 1) / 4) lower-case hexadecimal digits, where `width` is
that of tdata, so bit `width` is tlast and the bits above it are 0.

Fields take tdata from its least significant bit upward in the order of layout.json, without gaps.
`offset` is the lowest bit of a field, `bits` the width of one lane; lane 0 is lowest. Signed
fields are two's complement.

In SystemVerilog, with W the width:
    logic [W:0] beat [0:BEATS-1];
    initial $readmemh("CASE.in.hex", beat);
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote.

    Attributes:
        directory: the folder.
        cases: what ``layout.json`` says of each case.
        skipped: why there are no beats of a case, by its name.
    """

    directory: Path
    cases: tuple[Mapping[str, Any], ...]
    skipped: Mapping[str, str]


def export_hex(
    golden: GoldenSet, directory: str | PathLike[str], names: Sequence[str] = ()
) -> Exported:
    """Write the beats of cases as hex files into a new folder.

    Args:
        golden: the set.
        directory: the folder to make.
        names: of the cases; all of them if empty.

    Raises:
        UsageError: no such case, one named here or all of which there are no beats, or a folder
            that exists or cannot be written.
        FileFormatError: the set changed since it was opened.
    """
    path = Path(directory)
    atomic.check_fresh(path)
    cases: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    stems = {entry.name: entry.file.removesuffix(".safetensors") for entry in golden.entries}
    with atomic.directory(path) as folder:
        for name in names or golden.names:
            try:
                job = _job(golden, name)
            except UsageError as error:
                if names:
                    raise
                skipped[name] = error.message
                continue
            with atomic.refused(path):
                cases.append(_write(job, folder, stems[name]))
        if not cases:
            raise UsageError(
                "there are no beats of any of its cases",
                where=str(golden.directory),
                accepted="cases of the primitives of qsim",
            )
        document = {
            "format": "qsim-hex",
            "version": VERSION,
            "target": {"name": golden.target.name, "hash": golden.target.hash},
            "cases": cases,
        }
        with atomic.refused(path):
            (folder / "layout.json").write_text(f"{json.dumps(document, indent=1)}\n", "utf-8")
            (folder / "README.txt").write_text(_README, "utf-8")
    return Exported(path, tuple(cases), skipped)


def _job(golden: GoldenSet, name: str) -> Job:
    from qsim.cosim.jobs import bindable

    return bindable(golden.case(name), golden.target)


def _write(job: Job, folder: Path, stem: str) -> dict[str, Any]:
    beats = job.unit.inputs.to_hex(job.beats, job.last)
    results = job.unit.outputs.to_hex(job.expected, job.expected_last)
    (folder / f"{stem}.in.hex").write_bytes(beats)
    (folder / f"{stem}.out.hex").write_bytes(results)
    with (folder / f"{stem}.map.txt").open("wb") as file:
        np.savetxt(file, job.element.reshape(len(job.element), -1), fmt="%d")
    return {
        "case": job.name,
        "layer": job.layer,
        "primitive": job.primitive,
        "module": job.unit.module,
        "parameters": dict(job.unit.parameters),
        "in": _side(f"{stem}.in.hex", job.unit.inputs, job.beats, job.last),
        "out": _side(f"{stem}.out.hex", job.unit.outputs, job.expected, job.expected_last),
        "result": {"map": f"{stem}.map.txt", "field": job.field, "shape": list(job.shape)},
    }


def _side(file: str, layout: Layout, beats: Words, last: Flags) -> dict[str, Any]:
    offsets = layout.offsets()
    return {
        "file": file,
        "beats": len(beats),
        "packets": int(np.count_nonzero(last)),
        "width": layout.width,
        "digits": layout.digits,
        "fields": [
            {
                "name": field.name,
                "offset": offsets[field.name],
                "bits": field.bits,
                "signed": field.signed,
                "lanes": field.lanes,
            }
            for field in layout.fields
        ],
    }
