"""``python -m tools.record FILE.json``: records what qsim computes, prints and writes.

    python -m tools.record before.json
    ... move things about ...
    python -m tools.record after.json --compare before.json

Every built-in model on every target, ExecuTorch programs, golden sets, simulations, help, errors,
the public names: through the command line and the public names alone, so that it outlives any
change behind them. Times are left out; `digests.py` says which files are not taken byte by byte.
What is finished is kept in FILE.json.part, and a second start goes on from there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.record import environment, store
from tools.record.compare import MISSING, Difference, differences, summary
from tools.record.plan import MODELS, OWN, TARGETS, Unit, select, units
from tools.record.run import run


def main(argv: list[str] | None = None) -> int:
    """Record and compare; exit status 0 equal, 1 a difference or a unit that raised, 2 usage."""
    options = _parser().parse_args(argv)
    chosen = select(units(), options.models, options.targets, options.only)
    if options.list:
        print("\n".join(unit.name for unit in chosen))
        return 0
    if options.file is None or not chosen:
        _parser().error("no unit matches" if options.file else "the following are required: FILE")
    try:
        old = store.read(options.compare) if options.compare else None
        fresh = store.Recording(environment.code(), environment.describe())
        recording = store.resume(options.file, fresh)
    except (OSError, ValueError) as error:
        print(f"record: {error}", file=sys.stderr)
        return 2
    if not run(options.file, recording, chosen, options.jobs):
        return 1
    entries = {unit.name: recording.entries[unit.name] for unit in chosen}
    raised = [name for name, records in entries.items() if "raised" in records]
    for name in raised:
        print(f"{name} raised {entries[name]['raised']}", file=sys.stderr)
    seconds = sum(recording.cpu[unit.name] for unit in chosen)
    print(f"{options.file}: {summary(entries)}; {seconds:,.0f} s of CPU")
    if old is not None:
        return _compare(old, store.Recording(fresh.code, fresh.environment, entries), chosen)
    return int(bool(raised))


def _compare(old: store.Recording, new: store.Recording, chosen: list[Unit]) -> int:
    for difference in differences(old.environment, new.environment, "environment"):
        print(f"note: {difference}")
    names = [*old.entries, *new.entries]
    if len(chosen) < len(units()):
        names = list(new.entries)  # a part is compared with the same part
    differing = 0
    found: list[Difference] = []
    for name in dict.fromkeys(names):
        one, other = old.entries.get(name, MISSING), new.entries.get(name, MISSING)
        inside = list(differences(one, other, name))
        differing += bool(inside)
        found += inside
    for difference in found:
        print(difference)
    if found:
        print(f"{len(found):,} differences in {differing:,} of {len(new.entries):,} units")
        return 1
    print(f"equal: {summary(new.entries)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.record", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE.json")
    parser.add_argument("--compare", type=Path, metavar="OLD.json")
    parser.add_argument("--models", nargs="*", default=[], choices=(*MODELS, *OWN), metavar="M")
    parser.add_argument("--targets", nargs="*", default=[], choices=TARGETS, metavar="T")
    help_ = "only units whose name matches, such as 'cosim/*'; --list shows the names"
    parser.add_argument("--only", nargs="*", default=[], metavar="PATTERN", help=help_)
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="workers (default: 1)")
    parser.add_argument("--list", action="store_true", help="print the names of the units")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
