"""Side-by-side measurements with peers; run one with `python -m benchmarks.bench_<name>`."""
