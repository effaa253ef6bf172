"""Bundled programs: a ``.pte`` with inputs and the outputs that it must make of them."""
