"""``python -m tools.zoo``: write docs/zoo.md; ``--check``: is it what the networks say?"""

from __future__ import annotations

import argparse

from tools.zoo.page import PAGE, text


def main(arguments: list[str] | None = None) -> int:
    """Write or check the page; exit status 1 where it is not what the networks say."""
    parser = argparse.ArgumentParser(prog="python -m tools.zoo")
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    made = text("tflite")
    if options.check:
        if not PAGE.is_file() or PAGE.read_text("utf-8") != made:
            print(f"docs/{PAGE.name} is not what the networks say; run: python -m tools.zoo")
            return 1
        return 0
    PAGE.write_text(made, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
