"""qsim: run a quantized PyTorch network bit for bit as a fixed-point accelerator computes it.

    import qsim
    target = qsim.Target.load("tflite")
    quantized = qsim.quantize(model, example_inputs, target, calibration=batches)
    lowered = qsim.lower(quantized, target)
    y = lowered(x)

Nothing heavy is loaded before it is used: ``import qsim`` loads neither torch nor Numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import lazy_loader

from qsim.moved import install
from qsim.torch_threads import use_one_when_forked

if TYPE_CHECKING:
    from qsim import cosim as cosim
    from qsim import extend as extend
    from qsim import golden as golden
    from qsim.errors import FileFormatError as FileFormatError
    from qsim.errors import InputError as InputError
    from qsim.errors import MissingToolError as MissingToolError
    from qsim.errors import ModelError as ModelError
    from qsim.errors import QsimError as QsimError
    from qsim.errors import TargetError as TargetError
    from qsim.errors import UsageError as UsageError
    from qsim.lowering import lower as lower
    from qsim.network import Lowered as Lowered
    from qsim.network import Trace as Trace
    from qsim.network import load as load
    from qsim.quantizer import QuantizeConfig as QuantizeConfig
    from qsim.quantizer import Quantized as Quantized
    from qsim.quantizer import quantize as quantize
    from qsim.target import Target as Target

install()
use_one_when_forked()
__version__: Final = "0.1.0"

__getattr__, _, _lazy = lazy_loader.attach(
    __name__,
    submodules=["cosim", "extend", "golden"],
    submod_attrs={
        "errors": [
            "FileFormatError",
            "InputError",
            "MissingToolError",
            "ModelError",
            "QsimError",
            "TargetError",
            "UsageError",
        ],
        "lowering": ["lower"],
        "network": ["Lowered", "Trace", "load"],
        "quantizer": ["QuantizeConfig", "Quantized", "quantize"],
        "target": ["Target"],
    },
)
__all__ = [*_lazy, "__version__"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
