"""Proofs: RTL cores against the Python definitions, for all inputs, with yosys and z3."""
