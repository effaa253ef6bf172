"""Whether a network classifies, and how often its classes are right or those of the float graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Array: TypeAlias = npt.NDArray[Any]

# Operators whose result of rank 2 has one score per class.
_SCORING: Final = frozenset(
    {"linear", "addmm", "softmax", "_softmax", "log_softmax", "_log_softmax", "_safe_softmax"}
)
# What leaves the values, and the order of the classes, as they are.
_THROUGH: Final = frozenset({"alias", "clone", "contiguous", "detach", "dropout", "to", "_to_copy"})


def winners_of(outputs: tuple[Array, ...] | None) -> Array | None:
    """Return the argmax over axis 1 of the first output; NumPy's tie rule for every graph.

    An output of positions (int64) is that argmax: the model took it itself. None where the first
    output has no two classes, or there is none.
    """
    if outputs and outputs[0].ndim and outputs[0].dtype == np.int64:
        return outputs[0]
    if not outputs or outputs[0].ndim < 2 or outputs[0].shape[1] < 2:
        return None
    winners: Array = outputs[0].argmax(axis=1)
    return winners


def classifies(graph: torch.fx.GraphModule, first: Array, inputs: tuple[Array, ...]) -> bool:
    """Return whether a graph's first output is a classification.

    That is a softmax or a linear of rank 2 with two classes or more, or the argmax of one: of
    anything else, a picture or a forecast, an argmax that agrees says nothing. So it does where the
    output has the shape of an input: an autoencoder gives back what it was given.

    Args:
        graph: the float graph.
        first: what its first output was.
        inputs: what it was given.
    """
    node: Any = next(node for node in graph.graph.nodes if node.op == "output").args[0]
    while isinstance(node, (tuple, list, dict)) and node:
        node = next(iter(node.values() if isinstance(node, dict) else node))
    rank = first.ndim
    while _name(node) in (*_THROUGH, "argmax"):
        if _name(node) == "argmax":
            keeps = (len(node.args) > 2 and node.args[2]) or node.kwargs.get("keepdim", False)
            rank += not keeps
        node = node.args[0]
    scored = rank == 2 and _name(node) in _SCORING
    if first.dtype == np.int64:
        return scored
    return scored and first.shape[1] > 1 and all(x.shape != first.shape for x in inputs)


def _name(node: Any) -> str:
    """Return the name of the operator that a node calls, without namespace and overload."""
    target = getattr(node, "target", None)
    packet = getattr(target, "overloadpacket", target)
    return str(getattr(packet, "__name__", "")) if getattr(node, "args", ()) else ""


class Vote:
    """Counts right labels and equal argmaxes of one graph."""

    def __init__(self) -> None:
        self.right = self.labelled = self.agreeing = self.compared = 0

    def add(
        self, outputs: tuple[Array, ...] | None, labels: Array | None, reference: Array | None
    ) -> None:
        """Add the outputs of one batch.

        Args:
            outputs: of the graph; None where there is no such graph.
            labels: the classes that are right, or None.
            reference: the classes of the float graph, or None.
        """
        winners = winners_of(outputs)
        if winners is None:
            return
        if labels is not None and labels.shape == winners.shape:
            self.right += int((winners == labels).sum())
            self.labelled += labels.size
        if reference is not None and reference.shape == winners.shape:
            self.agreeing += int((winners == reference).sum())
            self.compared += winners.size

    @property
    def accuracy(self) -> float | None:
        """The fraction of right labels; None without labels."""
        return self.right / self.labelled if self.labelled else None

    @property
    def agreement(self) -> float | None:
        """The fraction of the float graph's classes; None where there is nothing to compare."""
        return self.agreeing / self.compared if self.compared else None
