"""Softmax by each scheme: the kernels, and what LiteRT and gemmlowp define."""
