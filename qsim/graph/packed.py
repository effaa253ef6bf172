"""Packed sequences, which torch.export cannot trace: said in words instead of torch's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType

_MODULE: Final = "torch/nn/modules/rnn.py"
_UTILITIES: Final = "torch/nn/utils/rnn.py"
PACKED: Final = (
    "it packs sequences, whose lengths are values of a tensor; give the layer padded sequences of "
    "one length, and take what is read of each by its index"
)


def packs_sequences(error: BaseException) -> bool:
    """Return whether an export failed in, or below, torch's packed sequences."""
    place: TracebackType | None = error.__traceback__
    while place is not None:
        frame = place.tb_frame
        file = frame.f_code.co_filename.replace("\\", "/")
        if file.endswith(_UTILITIES):
            return True
        if file.endswith(_MODULE) and frame.f_locals.get("batch_sizes") is not None:
            return True
        place = place.tb_next
    return False
