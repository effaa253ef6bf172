"""Sizes in an exported graph: numbers, or symbols that stand for an open batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch.fx import Node


def is_size(node: Node) -> bool:
    """Return whether a node makes a size, not a tensor."""
    return isinstance(node.meta.get("val"), (torch.SymInt, torch.SymFloat, torch.SymBool, int))


def is_known(size: object) -> bool:
    """Return whether a size of a shape is a number, not a symbol."""
    return isinstance(size, int)
