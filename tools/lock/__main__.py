"""``python -m tools.lock``: renew the lock to the newest releases; ``--check`` it offline."""

from __future__ import annotations

import argparse
import sys

from tools.lock.check import problems
from tools.lock.renew import renew
from tools.lock.sets import SETS


def main() -> int:
    """Renew or check; exit status 1 where the check finds something."""
    parser = argparse.ArgumentParser(prog="python -m tools.lock", description=__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--keep", action="store_true", help="change only what pyproject.toml asks to be changed"
    )
    choice.add_argument("--check", action="store_true", help="compare with pyproject.toml, offline")
    options = parser.parse_args()
    if not options.check:
        renew(newest=not options.keep)
    found = problems()
    for line in found:
        print(f"lock: {line}", file=sys.stderr)
    if not found:
        print(", ".join(f"{one.path.name}: {len(one.pins())} packages" for one in SETS))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
