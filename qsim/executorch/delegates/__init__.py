"""Delegates on their Python models: ours on the hardware models, others' on registered functions.

``specs`` beneath is used whole: the compile specs of our delegates, written and read.
"""

from __future__ import annotations

from qsim.executorch.delegates.blob import container_of, open_blob, run_blob, watched, watching
from qsim.executorch.delegates.model import DelegateModel, Expected
from qsim.executorch.registry import OURS

__all__ = [
    "OURS",
    "DelegateModel",
    "Expected",
    "container_of",
    "open_blob",
    "run_blob",
    "watched",
    "watching",
]
