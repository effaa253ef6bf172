"""What running a ``.pte`` costs over what it runs.

    python -m benchmarks.bench_executorch [MODEL ...]

First table: a delegated ``.pte`` over the same network run directly on the same tensors. With
codes at its ends that is the Program itself (``program.run``), with floats the lowered network,
which quantizes, runs the Program and dequantizes. Second table: a ``.pte`` without delegates over
its own operators, called in a plain loop on the same tensors, with the arguments ready; and over
torch eager: where an operator has a definition of ours, its order of additions costs time that
torch's does not. One thread; contenders take turns, medians.
"""

from __future__ import annotations

import sys
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

import qsim
from benchmarks.harness import Timing, measure, one_thread
from qsim.executorch import Pte, to_edge
from qsim.executorch.interpreter.bound import BoundRun
from qsim.executorch.interpreter.kernels import Bound
from qsim.graph.capturing import quiet
from qsim.models.spec import load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qsim.program.program import Program

MODELS = ("digits", "resnet8", "ds_cnn", "mobilenet_v1")
BATCHES = (1, 32)
DELEGATE_LIMIT, OPERATORS_LIMIT = 1.2, 2.0


class Plain(nn.Module):
    """Operators that torch itself computes for a ``.pte``; small, so that calls weigh most."""

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(8):
            left = torch.relu(x) * 0.5
            right = torch.maximum(x, left) - left
            x = torch.clamp(left + right, -1, 1).transpose(2, 3).contiguous()
        return torch.cat([x, x * 2], 1)


def quantized(name: str) -> tuple[qsim.Quantized, tuple[Tensor, ...]]:
    model = load(name)
    calibration = list(model.calibration or [model.example_inputs])[:1]
    target = qsim.Target.load("tflite")
    return qsim.quantize(
        model.module, model.example_inputs, target, calibration=calibration
    ), model.example_inputs


def _on_tensors(program: Program, codes: Tensor) -> Tensor:
    """Run a Program for a caller who has tensors, as the caller of a ``.pte`` has."""
    return torch.from_numpy(program.run(codes.numpy())[0])


def delegated(name: str) -> list[Timing]:
    """Time delegated programs over the networks in them."""
    source, examples = quantized(name)
    lowered = qsim.lower(source)
    (program,) = lowered.quantized_io().programs
    timings = []
    for batch in BATCHES:
        x = examples[0][:1].repeat(batch, *[1] * (examples[0].dim() - 1))
        codes = torch.randint(-128, 128, x.shape, dtype=torch.int8)
        floats = Pte(to_edge(source, batch=batch).to_pte())
        integers = Pte(to_edge(source, batch=batch, quantized_io=True).to_pte())
        direct = program.run(codes.numpy())[0]
        assert (integers(codes).numpy() == direct).all()
        assert torch.equal(floats(x), lowered(x))
        products = batch * sum(program.macs(call) for call in program.calls)
        rounds, repeats = (5, 1) if products > 1 << 30 else (None, 4)
        for ends, pte, run, given in (
            ("codes", integers, partial(_on_tensors, program, codes), codes),
            ("floats", floats, partial(lowered, x), x),
        ):
            for _ in range(3):
                pte(given)  # the first runs are checked, later ones need not be
            contenders = {".pte": partial(pte, given), "direct": run}
            case = f"{name} batch {batch}, {ends}"
            timings.append(measure(case, contenders, rounds=rounds, repeats=repeats))
    return timings


def undelegated(case: str, module: Callable[..., Any], x: Tensor) -> tuple[Timing, Timing]:
    """Time a program of operators over these operators in a loop, and over torch eager."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import executorch.kernels.quantized  # noqa: F401 - before memory is planned
        from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

        with quiet():
            exported = torch.export.export(module, (x,))
            config = EdgeCompileConfig(_check_ir_validity=False)
            edge = to_edge_transform_and_lower(exported, compile_config=config)
            pte = Pte(bytes(edge.to_executorch().buffer))
    for _ in range(3):
        pte(x)
    bound = pte._interpreters["forward"]._bound  # noqa: SLF001 - the tensors of the plan
    assert isinstance(bound, BoundRun)
    calls = [(b.call, b.positional, b.keywords) for b in bound.calls if isinstance(b, Bound)]
    assert len(calls) == len(bound.calls)

    def loop() -> None:
        for call, positional, keywords in calls:
            call(*positional, **keywords)

    def eager() -> object:
        with torch.no_grad():
            return module(x)

    contenders = {".pte": partial(pte, x), "operators": loop, "eager": eager}
    both = measure(f"{case} ({len(calls)} operators)", contenders)
    first, *others = both.seconds
    over = [Timing(both.case, {n: both.seconds[n] for n in (first, other)}) for other in others]
    return over[0], over[1]


def table(timings: Sequence[Timing], limit: float | None) -> str:
    """Return a table of what ours costs over the other: 1 is nothing."""
    lines = [f"{'case':<44}{'.pte':>12}{'other':>12}{'cost':>8}  limit"]
    for timing in timings:
        ours, other = timing.seconds.values()
        verdict = (
            "" if limit is None else f"{limit:g} {'met' if ours <= limit * other else 'MISSED'}"
        )
        lines.append(
            f"{timing.case:<44}{ours * 1e6:>9.0f} us{other * 1e6:>9.0f} us{ours / other:>8.2f}  "
            f"{verdict}".rstrip()
        )
    return "\n".join(lines)


def main(names: tuple[str, ...] = MODELS) -> None:
    """Print the tables."""
    one_thread()
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    print("delegated .pte, over the same network run directly\n")
    print(table([timing for name in names for timing in delegated(name)], DELEGATE_LIMIT))
    pairs = [
        undelegated("torch's own, [1, 4, 8, 8]", Plain(), torch.randn(1, 4, 8, 8)),
        undelegated("torch's own, [8, 16, 64, 64]", Plain(), torch.randn(8, 16, 64, 64)),
    ]
    for name in names[:2]:
        source, (x, *_) = quantized(name)
        pairs.append(undelegated(f"{name}, float", load(name).module.eval(), x))
        pairs.append(undelegated(f"{name}, quantize and dequantize", source.graph, x))
    print("\n.pte without delegates, over its operators in a plain loop\n")
    print(table([first for first, _ in pairs], OPERATORS_LIMIT))
    print("\n.pte without delegates, over torch eager\n")
    print(table([second for _, second in pairs[:2]], OPERATORS_LIMIT))
    print("\nthe same where operators have definitions of ours, for information\n")
    print(table([second for _, second in pairs[2:]], None))


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or MODELS)
