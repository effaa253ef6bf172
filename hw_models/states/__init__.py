"""Primitives that write into what a network keeps from one step to the next."""
