"""Lowered networks: steps on the host around integer Programs; files and traces of them."""
