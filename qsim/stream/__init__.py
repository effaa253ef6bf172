"""The network as one command stream: a table of descriptors over one planned arena."""

from __future__ import annotations

from qsim.stream.allocation import Allocation, Place, allocate
from qsim.stream.picture import check_picture, plot_memory
from qsim.stream.stream import Stream
from qsim.stream.streams import Streams

__all__ = [
    "Allocation",
    "Place",
    "Stream",
    "Streams",
    "allocate",
    "check_picture",
    "plot_memory",
]
