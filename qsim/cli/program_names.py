"""How a command knows an ExecuTorch program: by the name of its file."""

from __future__ import annotations

from typing import Final

# What `--quantized-io` cannot do to a file that exists, and what can.
FIXED_IO: Final = (
    "without it; `qsim compile MODEL -o F.pte --quantized-io` makes a program with integer inputs "
    "and outputs"
)


def is_executorch(name: str) -> bool:
    """Return whether a file's name is that of an ExecuTorch program."""
    return name.endswith((".pte", ".bpte"))
