"""Multiply-accumulates of torch's own operators: torch counts them as they run."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class HostWork:
    """What torch multiplied and added.

    Attributes:
        macs: of every block that was counted, by its name.
    """

    def __init__(self) -> None:
        self.macs: dict[str, int] = {}

    @property
    def total(self) -> int:
        """Of all blocks."""
        return sum(self.macs.values())

    @contextmanager
    def count(self, name: str = "") -> Iterator[None]:
        """Count the matrix products, convolutions, attention and recurrent layers of a block."""
        import torch
        from torch.utils.flop_counter import FlopCounterMode

        aten = torch.ops.aten
        fused: dict[Any, Any] = {
            aten.mkldnn_rnn_layer: _recurrent,
            aten._scaled_dot_product_flash_attention_for_cpu: _attention,  # noqa: SLF001
        }
        with FlopCounterMode(display=False, custom_mapping=fused) as counter:
            yield
        # Two floating-point operations are one multiply-accumulate.
        self.macs[name] = self.macs.get(name, 0) + int(counter.get_total_flops()) // 2


def _recurrent(
    x: Sequence[int], w_x: Sequence[int], w_h: Sequence[int], *_rest: Any, **_kwargs: Any
) -> int:
    """Return the operations of a whole LSTM layer in one direction, which torch has no count of."""
    return 2 * math.prod(x[:2]) * (math.prod(w_x) + math.prod(w_h))


def _attention(
    q: Sequence[int], k: Sequence[int], v: Sequence[int], *_rest: Any, **_kwargs: Any
) -> int:
    """Return the operations of both products of attention on a CPU, which torch has no count of."""
    return 2 * math.prod(q[:-1]) * k[-2] * (q[-1] + v[-1])
