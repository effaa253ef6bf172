"""Words and commands of the set-up: all on stderr, a failure ends it in one line."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def say(text: str) -> None:
    """Print progress to stderr; stdout belongs to the command that make runs next."""
    print(f"bootstrap: {text}", file=sys.stderr, flush=True)


def run(*command: str | Path) -> None:
    """Run a command, its output to stderr; stop with a clear line when it fails."""
    words = [str(word) for word in command]
    if subprocess.run(words, stdout=sys.stderr, check=False).returncode != 0:
        sys.exit(f"bootstrap: this command failed, see above: {' '.join(words)}")
