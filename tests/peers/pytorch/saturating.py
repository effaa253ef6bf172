"""A process in which FBGEMM takes no VNNI instructions: ``python saturating.py GIVEN MADE``.

GIVEN holds weights [O, K] and values [M, K] of each layer; MADE gets what torch's
quantized::linear_dynamic makes of them. The parent sets FBGEMM_ENABLE_INSTRUCTIONS, which FBGEMM
reads once, as it starts.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import torch


def main(given: str, made: str) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.backends.quantized.engine = "fbgemm"
    layers = np.load(given)
    results = {}
    for name in sorted({key.partition(".")[0] for key in layers.files}):
        weight = torch.from_numpy(layers[f"{name}.weight"])
        codes = torch._make_per_tensor_quantized_tensor(weight, 0.5, 0)
        packed = torch.ops.quantized.linear_prepack(codes, None)
        x = torch.from_numpy(layers[f"{name}.x"])
        for reduced in (0, 1):
            y = torch.ops.quantized.linear_dynamic(x, packed, reduce_range=bool(reduced))
            results[f"{name}.{reduced}"] = y.numpy()
    np.savez(made, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
