"""The fenced blocks of a page, and its commands with what it shows below them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PROGRAMS: Final = ("qsim ", ".venv/bin/", "make ", "echo ", "cp ", "sed ")
_FILE: Final = re.compile(r"# (\w[\w.-]*\.(?:py|toml))\b")
# Words that stand for others: `qsim run MODEL`, `qsim prove <primitive>`, `qsim golden …`.
_PLACEHOLDER: Final = re.compile(r"(?<!\S)[A-Z]+(?!\S)|[<\[…]")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: behind the fence; empty for what a terminal shows.
        lines: between the fences.
        start: the index of the first of them in the page.
    """

    language: str
    lines: tuple[str, ...]
    start: int

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "".join(f"{line}\n" for line in self.lines)


@dataclass(frozen=True)
class File:
    """A block that is a file: its first line is a comment with its name."""

    name: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command line.

    Attributes:
        text: without the prompt and the comment behind it.
        shown: what the page shows below it; None where it shows nothing of what is printed.
        start: the index in the page of the first line that it shows.
    """

    text: str
    shown: tuple[str, ...] | None
    start: int

    @property
    def is_placeholder(self) -> bool:
        """Whether words stand for what a reader fills in."""
        return bool(_PLACEHOLDER.search(self.text))


def blocks(lines: list[str], page: str = "") -> list[Block]:
    """Return the fenced blocks of a page's lines, in their order.

    Raises:
        ValueError: a block without an end.
    """
    found: list[Block] = []
    language: str | None = None
    start = 0
    for index, line in enumerate(lines):
        if language is None and line.startswith("```"):
            language, start = line.removeprefix("```").strip(), index + 1
        elif line.rstrip() == "```":
            found.append(Block(language or "", tuple(lines[start:index]), start))
            language = None
    if language is not None:
        raise ValueError(f"{page}: a block without an end")
    return found


def steps(lines: list[str], page: str = "") -> list[File | Command]:
    """Return what a reader does who goes down a page: files that are written, commands."""
    found: list[File | Command] = []
    for block in blocks(lines, page):
        if block.language:
            name = _FILE.match(block.lines[0]) if block.lines else None
            found += [File(name[1], block.text)] if name else []
        else:
            found += _commands(block)
    return found


def _commands(block: Block) -> list[Command]:
    prompts = [i for i, line in enumerate(block.lines) if line.startswith("$ ")]
    if not prompts:
        return [
            Command(_bare(line), None, block.start + index + 1)
            for index, line in enumerate(block.lines)
            if line.startswith(PROGRAMS)
        ]
    ends = [*prompts[1:], len(block.lines)]
    return [
        Command(
            _bare(block.lines[index].removeprefix("$ ")),
            block.lines[index + 1 : end],
            block.start + index + 1,
        )
        for index, end in zip(prompts, ends, strict=True)
    ]


def _bare(line: str) -> str:
    return re.split(r"\s{2,}|\s+#", line)[0]
