"""Pools over windows: one primitive a module, and the windows that they share."""
