"""Every benchmark, one table after another: ``make bench``.

QSIM_BENCH_ROUNDS sets how many turns each contender gets (40 by default).
"""

from __future__ import annotations

from benchmarks import (
    bench_correlation,
    bench_dynamic,
    bench_executorch,
    bench_groups,
    bench_lanes,
    bench_memory,
    bench_network,
    bench_reconstruction,
    bench_requantize,
    bench_transformer,
    bench_xnnpack,
)


def main() -> None:
    """Print the tables."""
    print("int8 correlation; peers: torch's quantized engines, torch int32 matmul, NumPy\n")
    bench_correlation.main()
    print("\nrequantize int32 -> int8; peer: torch's quantize on as many elements\n")
    bench_requantize.main()
    print("\nwhole networks; peers: ONNX Runtime int8, torch fp32\n")
    bench_network.main()
    print("\nwhole networks, the same integers; peer: XNNPACK through LiteRT\n")
    bench_xnnpack.main()
    print("\ndense layers quantized at run time, the same bits; peer: torch's fbgemm\n")
    bench_dynamic.main()
    print("\na whole transformer with such layers, the same bits; peer: torch's, eager\n")
    bench_transformer.main()
    print("\nweights of 4 bits in groups; beside them our own 8 bits\n")
    bench_groups.main()
    print("\na .pte over what it runs\n")
    bench_executorch.main()
    print("\nmemory of networks, bytes; peer: ExecuTorch's greedy planner\n")
    bench_memory.main()
    print("\nrounding that is learned: accuracy, and seconds\n")
    bench_reconstruction.main()
    print("\nbeats a second through RTL, both lanes\n")
    bench_lanes.main()


if __name__ == "__main__":
    main()
