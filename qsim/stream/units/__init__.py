"""Encodes what transformers without floats need: norms, rotary turns, rows of tables."""

from __future__ import annotations

from qsim.stream.units.embedding import encode as encode_embedding
from qsim.stream.units.norms import encode as encode_norm
from qsim.stream.units.rotary import encode as encode_rotary

__all__ = ["encode_embedding", "encode_norm", "encode_rotary"]
