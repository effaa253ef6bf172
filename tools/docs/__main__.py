"""``python -m tools.docs``: run what README and docs show; ``--write`` renews what they show."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tools.docs.blocks import ROOT
from tools.docs.scenes import PAGES
from tools.docs.shown import renewed, stripped
from tools.docs.walk import Done, Walk


def main() -> int:
    """Go through pages; exit status 1 where one shows what is not printed, unless it is renewed."""
    parser = argparse.ArgumentParser(prog="python -m tools.docs")
    parser.add_argument("pages", nargs="*", default=PAGES, metavar="PAGE", help="default: all")
    parser.add_argument("--write", action="store_true", help="renew what the pages show")
    parser.add_argument("--long", action="store_true", help="also run what takes long")
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="qsim-docs-") as name:
        walk = Walk(Path(name) / "kept")
        for number, page in enumerate(options.pages):
            folder = Path(name) / str(number)
            folder.mkdir()
            done = list(walk.page(page, folder, long=options.long))
            bad = [each for each in done if each.wrong]
            print(f"{page}: {len(done)} commands, {len(bad)} not as shown", flush=True)
            for each in bad:
                print(f"  $ {each.command.text}\n    {each.wrong}")
            wrong += len(bad)
            if options.write:
                wrong -= _renew(page, done)
    return int(wrong > 0)


def _renew(page: str, done: list[Done]) -> int:
    """Write what was printed into a page; return how many commands that puts right."""
    renewals = 0
    path = ROOT / page
    lines = path.read_text("utf-8").splitlines()
    for each in reversed(done):
        shown = each.command.shown
        if shown is None or not each.wrong or not each.as_expected:
            continue
        end = each.command.start + len(shown)
        tail = shown[len(stripped(shown)) :]
        try:
            lines[each.command.start : end] = [*renewed(shown, each.printed), *tail]
        except ValueError as error:
            print(f"  $ {each.command.text}: not renewed, {error}")
        else:
            renewals += 1
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return renewals


if __name__ == "__main__":
    raise SystemExit(main())
