"""Pools: what takes one value of every window."""
