"""``python -m tools.record.worker NAME...``: records units, one line of JSON on stdout for each."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

from tools.record.normal import ROOT
from tools.record.plan import Unit, units


def main(names: list[str]) -> int:
    """Record the units of these names; every one in an empty folder, whatever one raises."""
    import qsim

    if not Path(qsim.__file__).is_relative_to(ROOT):
        raise SystemExit(f"qsim is imported from {qsim.__file__}, not from {ROOT}")
    # What others write to stdout, C libraries too, goes to stderr: the lines have it alone.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    known = {unit.name: unit for unit in units()}
    for name in names:
        before = _cpu()
        records = _record(known[name])
        done = {"unit": name, "records": records, "cpu": round(_cpu() - before, 2)}
        print(json.dumps(done), file=lines, flush=True)
    return 0


def _record(unit: Unit) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="record-") as folder, chdir(folder):
        try:
            return unit.record()
        except Exception as error:  # a finding; the others go on
            return {"raised": f"{type(error).__name__}: {error}"}


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
