"""What each network of the zoo leaves on the host, and why: (operator, kind of the reason)."""

from __future__ import annotations

from typing import Final

_NORMED: Final = (
    *("mlp_mixer", "ConvNextModel", "ViTModel", "SegformerModel", "WhisperModel"),
    *("DistilBertModel", "SwinModel", "GPT2LMHeadModel"),
)
# A mask of run time may hold minus infinity, and what reads it cannot be codes.
_MASKED: Final = (("masked_fill.Scalar", "operand"), ("_safe_softmax.default", "operand"))
# On every target, whatever primitives it has. A network without an entry leaves nothing there.
HOST: Final[dict[str, set[tuple[str, str]]]] = {
    # Norms of layers and groups are not computed in integers yet.
    **{name: {("layer_norm.default", "operator")} for name in _NORMED},
    "Wav2Vec2Model": {("group_norm.default", "operator")},
    # The mask is resized with the batch as its channels.
    "DetrModel": {("upsample_nearest2d.vec", "batch")},
    "BertModel": {("layer_norm.default", "operator"), *_MASKED},
    # Without zero points there are codes below 0, of which no root is.
    "LlamaForCausalLM": {("add.Tensor", "values"), ("rsqrt.default", "values")},
}
# Embeddings, positions and masks are computed of integers.
INDICES: Final = {
    *("BertModel", "DistilBertModel", "GPT2LMHeadModel", "LlamaForCausalLM"),
    *("DetrModel", "lstm_tagger"),
}
# Which primitive an operator needs beyond those that every target has. Where a target lacks it,
# the operator is on the host for that reason, and no other.
NEEDS: Final[dict[str, str]] = {
    "upsample_nearest2d.vec": "resize",
    "upsample_bilinear2d.vec": "resize",
    "softmax.int": "softmax",
    "embedding.default": "embedding",
    "scaled_dot_product_attention.default": "softmax",
}
# Moves of data next to an operator that a target lacks have nothing to do with integers.
IDLE: Final = frozenset(
    name for name in ("view.default", "reshape.default", "permute.default", "cat.default")
)
# Operators that only move data in a network that computes nothing in integers around them.
MOVING: Final[dict[str, set[tuple[str, str]]]] = {
    "mlp_mixer": {("transpose.int", "idle")},
}


def allowed(name: str, lacks: set[str], found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return what a network may leave on a target that lacks some primitives."""
    missing = {(op, "target") for op, primitive in NEEDS.items() if primitive in lacks}
    idle = {(op, "idle") for op in IDLE} if missing else set()
    integers = {each for each in found if each[1] == "integers"} if name in INDICES else set()
    return HOST.get(name, set()) | MOVING.get(name, set()) | missing | idle | integers
