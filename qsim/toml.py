"""TOML that a stranger wrote: read up to a size, and harmless whatever it holds.

tomllib takes quadratic time on dotted keys, recurses into nested arrays, and reads integers that
Python then refuses to print. Text that could do so is refused before or right after it is parsed.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, Final

from qsim import files
from qsim.errors import FileFormatError

if TYPE_CHECKING:
    import os

# A target needs about 4 KiB, a configuration of a thousand modules about 60.
MOST_BYTES: Final = 256 * 1024
# Of a line; no key spans lines. Seconds for thousands of parts.
MOST_DOTS: Final = 256
MOST_LEVELS: Final = 16
# TOML promises 64 bits, signed; a fixed operand of a dut may be unsigned.
_LEAST: Final = -(1 << 63)
_GREATEST: Final = (1 << 64) - 1


def load(
    path: str | os.PathLike[str], most: int = MOST_BYTES, accepted: str = "a TOML file"
) -> dict[str, Any]:
    """Return what a TOML file states.

    Raises:
        FileFormatError: no such file, no regular file, too large, or no harmless TOML in UTF-8.
    """
    data = files.read(path, most, accepted)
    try:
        return parse(decoded(data))
    except FileFormatError as error:
        raise FileFormatError(
            error.message, where=str(path), accepted=error.accepted or accepted
        ) from None


def decoded(data: bytes) -> str:
    """Return the text of UTF-8, without the mark that some editors put in front of it.

    Raises:
        FileFormatError: it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"byte {error.start} is not UTF-8", accepted="TOML text in UTF-8"
        ) from None


def parse(text: str) -> dict[str, Any]:
    """Return what a TOML text states.

    Raises:
        FileFormatError: it is no TOML, or not harmless.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MOST_DOTS:
            raise FileFormatError(
                f"line {number} has {line.count('.')} dots", accepted=f"at most {MOST_DOTS}"
            )
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise FileFormatError(
            "is nested too deeply", accepted=f"at most {MOST_LEVELS} levels"
        ) from None
    except ValueError as error:  # TOMLDecodeError, or an integer of thousands of digits
        message = str(error).encode("ascii", "backslashreplace").decode()
        raise FileFormatError(f"is not TOML: {message[:200]}") from None
    _check(document)
    return document


def _check(document: dict[str, Any]) -> None:
    """Refuse what could not be shown in an error: deep nesting, endless integers."""
    level: list[Any] = [document]
    for _ in range(MOST_LEVELS):
        inner: list[Any] = []
        for item in level:
            inner += item.values() if isinstance(item, dict) else item
        for value in inner:
            if isinstance(value, int) and not _LEAST <= value <= _GREATEST:
                raise FileFormatError(
                    f"holds an integer of {value.bit_length()} bits", accepted="integers of 64 bits"
                )
        level = [item for item in inner if isinstance(item, (dict, list))]
        if not level:
            return
    raise FileFormatError("is nested too deeply", accepted=f"at most {MOST_LEVELS} levels")
