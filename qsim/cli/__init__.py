"""The command line: ``qsim`` and ``python -m qsim``."""

from __future__ import annotations

from qsim.cli.app import app, main

__all__ = ["app", "main"]
