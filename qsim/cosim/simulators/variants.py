"""Which build serves a recipe: one for each state of the files that its compiler looked up.

What a recipe names is in its key. What its compiler found by itself is known only afterwards; it is
noted beside the builds, under the recipe's key, newest first.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from qsim.atomic import refused, write_bytes
from qsim.cosim.simulators import cache, reads

if TYPE_CHECKING:
    from pathlib import Path

MOST: Final = 8  # states of one recipe


@dataclass(frozen=True, slots=True)
class Variant:
    """A state of the files that a compiler looked up, and its build.

    Attributes:
        build: name of the build's folder.
        files: SHA-256 of each file.
        absent: what was not there, and would have been read instead.
    """

    build: str
    files: dict[str, str]
    absent: list[str]


def name(key: str, files: dict[str, str]) -> str:
    """Return the name of the build of a recipe with such files."""
    text = json.dumps([key, sorted(files.items())])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def current(key: str) -> Variant | None:
    """Return the variant of a recipe that holds now; None if it must be compiled."""
    for variant in _read(_place(key)):
        if reads.hold(variant.files, variant.absent):
            with suppress(OSError):
                os.utime(_place(key))  # when it was last used
            return variant
    return None


def remember(key: str, variant: Variant) -> None:
    """Note a variant of a recipe. One that another process notes at once may be lost: it is remade.

    Raises:
        UsageError: the cache is not writable.
    """
    place = _place(key)
    others = [each for each in _read(place) if each.files != variant.files]
    document = [asdict(each) for each in (variant, *others[: MOST - 1])]
    with refused(place.parent):
        write_bytes(place, json.dumps(document).encode())
    cache.prune(place.parent, keep=place)


def _place(key: str) -> Path:
    return cache.folder("reads") / f"{key}.json"


def _read(place: Path) -> list[Variant]:
    try:
        document: Any = json.loads(place.read_bytes())
        return [
            Variant(
                str(each["build"]),
                {str(path): str(sha) for path, sha in each["files"].items()},
                [str(path) for path in each["absent"]],
            )
            for each in document
        ]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []
