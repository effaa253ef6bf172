"""Norms: of layers, of groups, of root mean squares."""
