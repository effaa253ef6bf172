"""What compilers say when RTL does not compile: the first error, and where it is."""

from __future__ import annotations

import re
from typing import Final

from qsim.errors import QsimError


class BuildError(QsimError):
    """RTL does not compile: the compiler's own first error. Exit status 2."""

    kind = "build"


_ERRORS: Final = (
    # Verilator: %Error-KIND: file:line:column: message; the file may be missing.
    re.compile(r"^%Error(?:-\w+)?: (?:(?P<place>[^\s:][^:\n]*:\d+(?::\d+)?): )?(?P<text>.+)$"),
    # Icarus: file:line: error: message, or file:line: syntax error. g++ is alike.
    re.compile(
        r"^(?P<place>[^\s:][^:\n]*:\d+(?::\d+)?): (?!.*warning: )"
        r"(?:fatal )?(?:error: |(?=.*error))(?P<text>.+)$"
    ),
    re.compile(r"^(?:error: |.*: \*\*\* )(?P<text>.+)$"),
)


def first_error(text: str) -> tuple[str, str]:
    """Return where a compiler's first error is, and its message; empty where it told none."""
    for line in text.splitlines():
        for pattern in _ERRORS:
            found = pattern.match(line)
            if found:
                groups = found.groupdict()
                return groups.get("place") or "", groups["text"].strip()[:300]
    return "", next((line.strip()[:300] for line in text.splitlines() if line.strip()), "")
