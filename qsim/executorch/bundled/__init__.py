"""Bundled programs: a ``.pte`` with inputs and the outputs that it must make of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

from qsim.executorch.bundled.case import BundledCase
from qsim.executorch.bundled.checking import CaseResult, check, record_case
from qsim.executorch.bundled.file import bundle
from qsim.executorch.bundled.reading import Bundle, read_bundle

if TYPE_CHECKING:
    from qsim.executorch.bundled.golden import bundle_golden

__all__ = [
    "Bundle",
    "BundledCase",
    "CaseResult",
    "bundle",
    "bundle_golden",
    "check",
    "read_bundle",
    "record_case",
]

# Recording a golden set loads what reading a bundle does not need.
__getattr__, _, _ = lazy_loader.attach(__name__, submod_attrs={"golden": ["bundle_golden"]})
