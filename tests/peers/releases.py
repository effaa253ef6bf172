"""Which release of a peer runs: where a peer changed, its test tells the releases apart."""

from __future__ import annotations

from importlib.metadata import version

from packaging.version import Version


def peer_version(distribution: str) -> tuple[int, ...]:
    """Return the release of an installed package as numbers, so that `>= (1, 32)` compares it."""
    return Version(version(distribution)).release
