"""``quantize`` of a model whose sequences may have any length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsim.quantizer.lengths.family import Calibrated, Taken
from qsim.torch_threads import one_torch_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qsim.graph import Arguments, Batch
    from qsim.quantizer.config import QuantizeConfig
    from qsim.quantizer.lengths.bounds import Bounds
    from qsim.quantizer.quantized import Quantized
    from qsim.target import Target


def quantized_family(
    model: Any,
    arguments: Arguments,
    bounds: Bounds,
    target: Target,
    config: QuantizeConfig,
    calibration: Iterable[Batch] | None,
    progress: Callable[[int], None] | None,
) -> Quantized:
    """Quantize a model for every length, or take its codes; all else as ``quantize``."""
    from qsim.graph import quiet, with_lengths
    from qsim.quantizer.prequantized import holds_codes, require_no_config, spelled

    with quiet(), one_torch_thread():
        with spelled(model) as found:
            span = (bounds.least, bounds.most)
            source = with_lengths(model, arguments, bounds.axes, span, bounds.resized)
        if found.modules or holds_codes(getattr(source, "graph", None)):
            require_no_config(config)
            taken = Taken(bounds, source, arguments, target, per_token=found.per_token)
            return taken.quantized()
        family = Calibrated(bounds, source, arguments, target, config)
        return family.quantized(calibration, progress)
