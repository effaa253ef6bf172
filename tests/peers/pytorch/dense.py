"""torch's packed weights of a dynamically quantized linear layer of a Program."""

from __future__ import annotations

import numpy as np
import torch

import qsim


def packed(program: qsim.Program, call: str) -> object:
    """Return torch's packed weights of a layer of a Program."""
    (sums,) = (c for c in program.calls if c.name == f"{call}.dequantize_sums")
    held = {k: v["constant"] for k, v in sums.attributes.items() if isinstance(v, dict)}
    codes = torch.from_numpy(np.array(program.constants[f"{call}.weight"], np.int8))
    scale = torch.from_numpy(np.array(program.constants[held["weight_scale"]], np.float64))
    bias = torch.from_numpy(np.array(program.constants[held["bias"]])) if "bias" in held else None
    if len(scale) == 1:
        made = torch._make_per_tensor_quantized_tensor(codes, float(scale), 0)
    else:
        zeros = torch.zeros(len(scale), dtype=torch.int64)
        made = torch._make_per_channel_quantized_tensor(codes, scale, zeros, 0)
    return torch.ops.quantized.linear_prepack(made, bias)
