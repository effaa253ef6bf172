"""Encodes operators on float32 values, each with its steps in the order of hw_models."""

from __future__ import annotations

from qsim.stream.float32.elements import encode_function, encode_pair
from qsim.stream.float32.matmul import encode as encode_matmul
from qsim.stream.float32.rows import encode_layer_norm, encode_softmax

__all__ = ["encode_function", "encode_layer_norm", "encode_matmul", "encode_pair", "encode_softmax"]
