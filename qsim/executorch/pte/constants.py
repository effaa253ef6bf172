"""Methods that state a constant; among them the quantization parameters of integers.

ExecuTorch's passes ``QuantizeInputs`` and ``QuantizeOutputs`` give a program one method for every
number: ``input0_scale``, ``input0_zp``, ``input0_quant_min``, ``input0_quant_max``,
``input0_dtype`` (the number of the ScalarType), and the same for ``output0``; it takes nothing and
returns the number. The passes can be told to put a method's name in front, as in
``forward_input0_scale``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from qsim.executorch.pte.method import Indices, TensorSpec, usual

if TYPE_CHECKING:
    from collections.abc import Collection

    from qsim.executorch.pte.method import Method, Value

# The numbers of one input or output, in the order of quantize's arguments.
PARAMETERS: Final = ("scale", "zp", "quant_min", "quant_max", "dtype")
_PARAMETER: Final = re.compile(rf"((?:(.*)_)?(input|output)(\d+)_)({'|'.join(PARAMETERS)})")
# Bytes of a constant tensor that is shown value by value.
_SHOWN: Final = 256


def is_parameter(name: str) -> bool:
    """Return whether a method's name is that of a quantization parameter."""
    return _PARAMETER.fullmatch(name) is not None


def parameter_stems(methods: Collection[str], name: str) -> dict[tuple[str, int], str]:
    """Return how the names of a method's quantization parameters begin.

    Args:
        methods: the names of all methods of the file.
        name: the method whose inputs and outputs are asked for.

    Returns:
        By side (``input``, ``output``) and position: ``forward_input0_``, for one, or ``input0_``.
    """
    # Without a name in front they are those of the method that the passes changed.
    main = usual(methods)
    found: dict[tuple[str, int], str] = {}
    for each in methods:
        match = _PARAMETER.fullmatch(each)
        if match is None or (match[2] or main) != name:
            continue
        place = (match[3], int(match[4]))
        if match[2] or place not in found:
            found[place] = match[1]
    return found


def constant_of(method: Method) -> Any:
    """Return the value of a method that takes nothing, calls nothing and returns one value.

    Tensors come as lists, large ones as their type and shape; None for every other method.
    """
    if method.inputs or any(method.chains) or len(method.outputs) != 1:
        return None
    value: Value = method.values[method.outputs[0]]
    if isinstance(value, Indices):
        return [method.values[index] for index in value.items]
    if not isinstance(value, TensorSpec):
        return value
    if value.data is None:
        return None
    if value.nbytes > _SHOWN:
        return str(value)
    import torch

    flat = torch.frombuffer(bytearray(value.data), dtype=value.dtype)
    return flat.as_strided(value.sizes, value.strides(value.sizes)).tolist()
