"""A whole transformer with dynamic layers beside torch's own, eager: the same bits.

    python -m benchmarks.bench_transformer

Ours is `bert-tiny` on the target fbgemm-dynamic: dense layers are Programs, all else torch's
operators, one by one. The peer is what ``torch.ao.quantization.quantize_dynamic`` makes of the same
module, with the codes and scales of our weights; attention is written out in both, or the peer has
torch's own (sdpa), whose sums have another order. Where it is written out every output is compared,
bit for bit, before any time is taken. One thread each, ranges reduced to 7 bits as torch does.
"""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

import qsim
from benchmarks.harness import Timing, measure, one_thread, table
from qsim.models import Model, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from qsim.network.lowered import Lowered

BATCHES: Final = (1, 8)
TARGET: Final = 1.0
_CONFIG: Final = {"default": {"activation_bits": 7}}


def ours(model: Model) -> Lowered:
    """Return the network, lowered."""
    target = qsim.Target.load("fbgemm-dynamic")
    return qsim.lower(qsim.quantize(model.module, model.example_inputs, target, config=_CONFIG))


def peer(module: torch.nn.Module, lowered: Lowered) -> torch.nn.Module:
    """Return torch's dynamically quantized module, with the weights of ours."""
    config = torch.ao.quantization.per_channel_dynamic_qconfig
    made: torch.nn.Module = torch.ao.quantization.quantize_dynamic(
        module, {torch.nn.Linear: config}
    )
    for program in lowered.programs:
        for call in program.calls:
            if call.primitive == "dequantize_sums":
                name = call.name.removesuffix(".dequantize_sums")
                held = {k: v["constant"] for k, v in call.attributes.items() if isinstance(v, dict)}
                constants: dict[str, Any] = {k: program.constants[v] for k, v in held.items()}
                codes = torch.from_numpy(np.array(program.constants[f"{name}.weight"], np.int8))
                scale = torch.from_numpy(np.array(constants["weight_scale"], np.float64))
                zeros = torch.zeros(len(scale), dtype=torch.int64)
                weight = torch._make_per_channel_quantized_tensor(codes, scale, zeros, 0)  # noqa: SLF001
                bias = torch.from_numpy(np.array(constants["bias"]))
                made.get_submodule(call.layer).set_weight_bias(weight, bias)
    return made


def speed(attention: str, batch: int) -> Timing:
    """Return the timing of one kind of attention: ``eager`` is written out, ``sdpa`` torch's."""
    model = load("bert-tiny")
    written = copy.deepcopy(model)
    written.module.set_attn_implementation("eager")
    lowered = ours(written)
    module = copy.deepcopy(model.module)
    module.set_attn_implementation(attention)
    theirs = peer(module, lowered)
    assert model.samples
    tokens = model.samples[0][:batch]
    case = f"bert-tiny, batch {batch}, {attention}"

    def run_peer() -> Any:
        with torch.no_grad():
            return theirs(tokens)

    if attention == "eager":
        for name, made in lowered(tokens).items():
            mine, other = (each.numpy().view(np.int32) for each in (made, run_peer()[name]))
            np.testing.assert_array_equal(mine, other, f"{case}: {name}")
    contenders: dict[str, Callable[[], object]] = {
        "qsim": lambda: lowered(tokens), "torch fbgemm, eager": run_peer
    }  # fmt: skip
    work = sum(entry.macs for entry in lowered.trace(tokens).ledger)
    return measure(case, contenders, work=work * batch, target=TARGET)


def main() -> None:
    """Print the table."""
    one_thread()
    warnings.simplefilter("ignore")
    torch.backends.quantized.engine = "fbgemm"
    print(table([speed(kind, batch) for kind in ("eager", "sdpa") for batch in BATCHES]))


if __name__ == "__main__":
    main()
