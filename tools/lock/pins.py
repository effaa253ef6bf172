"""Read a requirements file as uv writes it: pins, their markers, hashes, and who asks for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.utils import canonicalize_name
from packaging.version import Version

_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?P<rest>.*)")


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One locked release: its marker, SHA-256 hashes, and the names that ask for it."""

    name: str
    version: Version
    marker: str
    hashes: tuple[str, ...]
    via: tuple[str, ...]


def parse(text: str) -> dict[str, list[Pin]]:
    """Return the pins of a lock by name.

    Raises:
        ValueError: a line is none of pin, hash and comment.
    """
    pins: dict[str, list[Pin]] = {}
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if line and line[0] not in " #":
            blocks.append([line])
        elif line.startswith(" ") and blocks:
            blocks[-1].append(line.strip())
    for block in blocks:
        pin = _pin(block)
        pins.setdefault(pin.name, []).append(pin)
    return pins


def _pin(block: list[str]) -> Pin:
    found = _PIN.fullmatch(block[0])
    if found is None:
        raise ValueError(f"a lock pins packages as name==version, this line does not: {block[0]}")
    return Pin(
        name=canonicalize_name(found["name"]),
        version=Version(found["version"]),
        marker=found["rest"].strip(" ;\\"),
        hashes=tuple(re.findall(r"--hash=(\S+)", " ".join(block))),
        via=_via(block[1:]),
    )


def _via(lines: list[str]) -> tuple[str, ...]:
    """Return who asks for a pin: `# via x` on one line, or `# via` and one name on each next."""
    comments = [line.removeprefix("#").strip() for line in lines if line.startswith("#")]
    words = [line.removeprefix("via").strip() for line in comments]
    return tuple(word for word in words if word)
