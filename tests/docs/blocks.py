"""The code blocks of README and docs."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "golden/README.md", *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")))


@cache
def blocks(page: str) -> tuple[tuple[str, str], ...]:
    """Return language and text of every fenced block of a page, in their order."""
    found: list[tuple[str, str]] = []
    language: str | None = None
    lines: list[str] = []
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        if language is None and line.startswith("```"):
            language, lines = line.removeprefix("```").strip(), []
        elif line.rstrip() == "```":
            found.append((language or "", "".join(f"{text}\n" for text in lines)))
            language = None
        else:
            lines.append(line)
    assert language is None, f"{page}: a block without an end"
    return tuple(found)


def python(page: str) -> list[str]:
    """Return the Python blocks of a page."""
    return [text for language, text in blocks(page) if language == "python"]


def block(page: str, line: str) -> str:
    """Return the one Python block of a page that has a line which begins so."""
    found = [b for b in python(page) if any(x.startswith(line) for x in b.splitlines())]
    assert len(found) == 1, f"{page}: {len(found)} blocks with {line!r}"
    return found[0]


def printed(page: str, code: str) -> str:
    """Return the plain block behind a Python block: what the page says that it prints."""
    index = blocks(page).index(("python", code))
    language, text = blocks(page)[index + 1]
    assert language == ""
    return text


def output(page: str, command: str) -> str:
    """Return what a page shows below a command line."""
    (text,) = [t for _, t in blocks(page) if t.startswith(f"$ {command}\n")]
    return text.partition("\n")[2]


def commands(page: str) -> list[str]:
    """Return the command lines of `qsim` in the plain blocks of a page, without their comments."""
    plain = [text for language, text in blocks(page) if not language]
    lines = [line.removeprefix("$ ") for text in plain for line in text.splitlines()]
    return [re.split(r"\s{2,}|\s+#", line)[0] for line in lines if line.startswith("qsim ")]
