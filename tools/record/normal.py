"""What may differ between two runs of one program, taken out: times, folders, addresses."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
_TIME: Final = re.compile(r"\b\d[\d,]*(\.\d+)? ?(ms|s|min)\b")
_OBJECT: Final = re.compile(r"<(function|[\w.]+ object)[^<>]* at 0x[0-9a-f]+>")
_FILL: Final = re.compile(r"([ ─])\1+")


def is_time(key: str) -> bool:
    """Return whether a key of a JSON object holds a time."""
    return key == "seconds" or key.endswith("_seconds")


def value(item: Any) -> Any:
    """Return a JSON value without times, and with names for this machine's folders."""
    if isinstance(item, dict):
        return {key: value(part) for key, part in item.items() if not is_time(key)}
    if isinstance(item, list):
        return [value(part) for part in item]
    return paths(item) if isinstance(item, str) else item


def paths(line: str) -> str:
    """Return text in which the work folder and the repository have names."""
    for folder, name in ((str(Path.cwd()), "<work>"), (str(ROOT), "<root>")):
        line = line.replace(folder, name)
    return line.replace(tempfile.gettempdir() + "/", "<tmp>/")


def text(printed: str, *, timed: bool = False) -> list[str]:
    """Return the lines; with ``timed`` without times and the widths of columns that follow them."""
    lines = paths(printed).splitlines()
    return [_FILL.sub(r"\1", _TIME.sub("#", line)).strip() for line in lines] if timed else lines


def objects(line: str) -> str:
    """Return text in which functions and objects have no names and addresses."""
    return _OBJECT.sub(r"<\1>", line)


def page(html: str) -> str:
    """Return a report without its times."""
    return _TIME.sub("#", paths(html))
