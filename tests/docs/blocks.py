"""The code blocks of README and docs."""

from __future__ import annotations

from functools import cache

from tools.docs.blocks import ROOT, Command, steps
from tools.docs.blocks import blocks as fenced
from tools.docs.scenes import PAGES

__all__ = ["PAGES", "ROOT", "block", "blocks", "commands", "printed", "python"]


def _lines(page: str) -> list[str]:
    return (ROOT / page).read_text(encoding="utf-8").splitlines()


@cache
def blocks(page: str) -> tuple[tuple[str, str], ...]:
    """Return language and text of every fenced block of a page, in their order."""
    return tuple((each.language, each.text) for each in fenced(_lines(page), page))


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


@cache
def commands(page: str) -> tuple[str, ...]:
    """Return the command lines of a page, without their prompts and comments."""
    return tuple(each.text for each in steps(_lines(page), page) if isinstance(each, Command))
