"""What each network of the zoo leaves on the host, and why: (operator, kind of the reason)."""

from __future__ import annotations

from typing import Final

# On every target, whatever primitives it has. A network without an entry leaves nothing there.
HOST: Final[dict[str, set[tuple[str, str]]]] = {
    # Frames are folded into the batch: samples would not be computed apart.
    "temporal_shift": {
        (operator, "batch")
        for operator in (
            *("reshape.default", "conv2d.default", "relu.default", "view.default"),
            *("flatten.using_ints", "mean.dim", "linear.default", "slice.Tensor"),
        )
    }
    | {("slice.Tensor", "operator")},
    # Rows are taken by integers; norms of layers are not computed in integers yet.
    "lstm_tagger": {("embedding.default", "operator")},
    "mlp_mixer": {("layer_norm.default", "operator")},
}
# Which primitive an operator needs beyond those that every target has. Where a target lacks it,
# the operator is on the host for that reason, and no other.
NEEDS: Final[dict[str, str]] = {
    "upsample_nearest2d.vec": "resize",
    "upsample_bilinear2d.vec": "resize",
    "softmax.int": "softmax",
}
# Moves of data next to an operator that a target lacks have nothing to do with integers.
IDLE: Final = frozenset(
    name for name in ("view.default", "reshape.default", "permute.default", "cat.default")
)
# Operators that only move data in a network that computes nothing in integers around them.
MOVING: Final[dict[str, set[tuple[str, str]]]] = {
    "mlp_mixer": {("transpose.int", "idle")},
}


def allowed(name: str, lacks: set[str]) -> set[tuple[str, str]]:
    """Return what a network may leave on a target that lacks some primitives."""
    missing = {(op, "target") for op, primitive in NEEDS.items() if primitive in lacks}
    idle = {(op, "idle") for op in IDLE} if missing else set()
    return HOST.get(name, set()) | MOVING.get(name, set()) | missing | idle
