"""Norms of rows and groups, in integers: one primitive a module."""
