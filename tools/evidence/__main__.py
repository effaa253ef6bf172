"""``python -m tools.evidence``: write docs/evidence.md; ``--check``: is it what tests say?"""

from __future__ import annotations

import argparse
import sys

from tools.evidence.claims import ROOT
from tools.evidence.page import PAGE, text


def main(arguments: list[str] | None = None) -> int:
    """Write or check the page; exit status 1 where it is not what the tests say."""
    parser = argparse.ArgumentParser(prog="python -m tools.evidence")
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    try:
        made = text()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if options.check:
        if not PAGE.is_file() or PAGE.read_text("utf-8") != made:
            name = PAGE.relative_to(ROOT)
            print(f"{name} is not what the tests say; run: python -m tools.evidence")
            return 1
        return 0
    PAGE.write_text(made, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
