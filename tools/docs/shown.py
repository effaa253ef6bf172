"""What a page shows of a command, against what the command prints now.

A line of the page that is nothing but ``…`` stands for any lines. What differs from one run or one
machine to the next is masked: times, releases, kernels, and the columns of tables that a float
graph decides.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GAP: Final = "…"
_MASKS: Final = (
    (re.compile(r"\b\d[\d.,]* ?(?:ms|s)\b"), "# s"),
    (re.compile(r"\b(verilator|icarus|yosys|z3) \d[\w.]*"), r"\1 #"),
    (re.compile(r"(?<=^  Kernels: ).*"), "#"),
    (re.compile(r"\b(?:vnni|pairs)\b"), "#"),
    (re.compile(r"/\S*/(?=[\w.-]+)"), "/#/"),
)
# Columns of tables that torch's float arithmetic decides, which processors round otherwise.
_VARYING: Final = ("SQNR dB", "max LSB", "differing", "largest", "time", "kernel")
_DIGEST: Final = re.compile(r"\bsha256:[0-9a-f]+")
_NUMBER: Final = re.compile(r"\d[\d.,]*")


def masked(lines: Sequence[str], numbers: bool = False) -> list[str]:
    """Return lines without what varies.

    Args:
        lines: of a page or of a command.
        numbers: also without any number or digest.
    """
    found: list[str] = []
    head: list[str] = []
    for line in lines:
        for pattern, instead in _MASKS:
            line = pattern.sub(instead, line)
        cells = re.split(r"\s{2,}", line.strip())
        if any(cell in _VARYING for cell in cells):
            head = cells
        elif not line.strip():
            head = []
        elif len(cells) > 1 and head:
            line = "  ".join(_cells(cells, head))
        if numbers:
            line = _NUMBER.sub("#", _DIGEST.sub("sha256:#", line))
        found.append(re.sub(r"([ ─])\1+", r"\1", line).strip())
    return found


def _cells(cells: list[str], head: list[str]) -> list[str]:
    if len(cells) != len(head):  # totals: not every column has one
        return [_NUMBER.sub("#", cell) for cell in cells]
    return ["#" if name in _VARYING else cell for cell, name in zip(cells, head, strict=True)]


def _parts(lines: Sequence[str]) -> list[tuple[int, int]]:
    """Return the ranges of lines between those that stand for others."""
    gaps = [i for i, line in enumerate(lines) if line.strip() == _GAP]
    return list(zip([0, *(i + 1 for i in gaps)], [*gaps, len(lines)], strict=True))


def _places(shown: list[str], now: list[str]) -> Iterator[tuple[int, int] | None]:
    """Yield where each part of what is shown stands in what is printed, or None for nowhere."""
    at = 0
    parts = _parts(shown)
    for number, (start, end) in enumerate(parts):
        part = shown[start:end]
        first = 0 if number == 0 else at
        last = len(now) - len(part)
        if number == len(parts) - 1:  # the end of one is the end of the other
            first = max(first, last)
        elif number == 0:
            last = 0
        place = next((i for i in range(first, last + 1) if now[i : i + len(part)] == part), None)
        yield None if place is None else (place, place + len(part))
        at = at if place is None else place + len(part)


def stripped(lines: Sequence[str]) -> list[str]:
    """Return lines without empty ones at either end."""
    text = [line.rstrip() for line in lines]
    while text and not text[0]:
        del text[0]
    while text and not text[-1]:
        del text[-1]
    return text


def difference(shown: Sequence[str], now: Sequence[str], numbers: bool = False) -> str:
    """Return the first lines that are shown and not printed, or nothing."""
    wanted, found = stripped(shown), stripped(now)
    left, right = masked(wanted, numbers), masked(found, numbers)
    for (start, end), place in zip(_parts(wanted), _places(left, right), strict=True):
        if place is None:
            same = next((i for i in range(start, end) if left[i] not in right), start)
            return f"shown: {wanted[same] if wanted else ''!r}; printed: {chr(10).join(found)}"
    return ""


def renewed(shown: Sequence[str], now: Sequence[str]) -> list[str]:
    """Return what a page should show: what is printed, with the page's own gaps where they are.

    A part between two gaps reaches from the line that looks like its first to the one that looks
    like its last, whatever is printed in between by now.

    Raises:
        ValueError: nothing printed looks like one of these lines.
    """
    wanted, found = stripped(shown), stripped(now)
    left, right = _alike(wanted), _alike(found)
    parts = _parts(wanted)
    made: list[str] = []
    at = 0
    for number, (start, end) in enumerate(parts):
        first, last = at, at
        if start < end:
            first = 0 if number == 0 else _line(left[start], right, at)
            whole = number == len(parts) - 1
            last = len(found) if whole else _line(left[end - 1], right, first) + 1
        made += [*([wanted[start - 1]] if number else []), *found[first:last]]
        at = last
    return made


def _alike(lines: Sequence[str]) -> list[str]:
    """Return lines without numbers and digests."""
    return masked([re.sub(r"(?<=sha256:)\S+", "#", line) for line in lines], numbers=True)


def _line(wanted: str, lines: Sequence[str], start: int) -> int:
    for index in range(start, len(lines)):
        if lines[index] == wanted:
            return index
    raise ValueError(f"nothing printed looks like {wanted!r}")
