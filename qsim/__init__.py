"""qsim: run a quantized PyTorch network bit for bit as a fixed-point accelerator computes it.

    import qsim
    target = qsim.Target.load("tflite")
    quantized = qsim.quantize(model, example_inputs, target, calibration=batches)
    lowered = qsim.lower(quantized, target)
    y = lowered(x)

Nothing heavy is loaded before it is used: ``import qsim`` loads neither torch nor Numba.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from qsim.moved import install

if TYPE_CHECKING:
    from qsim import cosim, extend, golden
    from qsim.errors import (
        FileFormatError,
        InputError,
        MissingToolError,
        ModelError,
        QsimError,
        TargetError,
        UsageError,
    )
    from qsim.lowering import lower
    from qsim.network.lowered import Lowered
    from qsim.network.reading import load
    from qsim.network.trace import Trace
    from qsim.quantizer import QuantizeConfig, Quantized, quantize
    from qsim.target import Target

install()
__version__: Final = "0.1.0"

__all__ = [
    "FileFormatError",
    "InputError",
    "Lowered",
    "MissingToolError",
    "ModelError",
    "QsimError",
    "QuantizeConfig",
    "Quantized",
    "Target",
    "TargetError",
    "Trace",
    "UsageError",
    "__version__",
    "cosim",
    "extend",
    "golden",
    "load",
    "lower",
    "quantize",
]

_MODULES: Final = ("cosim", "extend", "golden")
_HOMES: Final = {
    **dict.fromkeys(
        (
            "FileFormatError",
            "InputError",
            "MissingToolError",
            "ModelError",
            "QsimError",
            "TargetError",
            "UsageError",
        ),
        "qsim.errors",
    ),
    "Lowered": "qsim.network.lowered",
    "QuantizeConfig": "qsim.quantizer",
    "Quantized": "qsim.quantizer",
    "Target": "qsim.target",
    "Trace": "qsim.network.trace",
    "load": "qsim.network.reading",
    "lower": "qsim.lowering",
    "quantize": "qsim.quantizer",
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f"qsim.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'qsim' has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
