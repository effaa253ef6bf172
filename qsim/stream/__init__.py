"""The network as one command stream: a table of descriptors over one planned arena."""

from qsim.stream.stream import Stream
from qsim.stream.streams import Streams

__all__ = ["Stream", "Streams"]
