"""Operators of IEEE 754 binary32 values: each step and the order of steps defined to the bit."""
