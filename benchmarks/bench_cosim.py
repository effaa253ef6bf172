"""Speed of co-simulation: requantize vectors per second, everything included but the build.

    python -m benchmarks.bench_cosim

A vector is one beat of about 107 bits. Seconds are those of a whole run of the bulk lane: writing
the beats, the simulator's start, loading, simulation, reading the result. At least 1 million a
second on Verilator are asked for, on a machine that does nothing else.
"""

from __future__ import annotations

import resource
import statistics
import time
from typing import TYPE_CHECKING

from qsim.cosim.build import build
from qsim.cosim.bulk import bulk_recipe, run_bulk
from qsim.cosim.jobs import job
from qsim.cosim.toolchain import find
from qsim.cosim.vectors import vectors
from qsim.cosim.wrapper import design
from qsim.target import Target

if TYPE_CHECKING:
    from qsim.cosim.unit import Job

ROUNDS = 5
COUNTS = {"verilator": 1 << 20, "icarus": 1 << 16}


def large_job(count: int) -> Job:
    """Return one requantization of at least so many elements."""
    target = Target.load("tflite")
    made = vectors("requantize", target, 0, 9 * count)  # nine directed cases share the count
    case = max(made, key=lambda each: each.expected.size)
    return job(case, target)


def processor() -> float:
    """Return the seconds of processor that this process and its finished children took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + used.ru_utime + used.ru_stime


def main() -> None:
    """Print the table."""
    for name, count in COUNTS.items():
        work = large_job(count)
        made = build(bulk_recipe(design(work.unit), find(name)))
        before = processor()
        results = [run_bulk(work, made) for _ in range(ROUNDS)]
        busy = (processor() - before) / ROUNDS
        assert all(result.agrees for result in results)
        seconds = statistics.median(result.seconds for result in results)
        beats = len(work.beats)
        print(
            f"{name:<10} {work.unit.inputs.width} bits, {beats:,} vectors: {seconds:.2f} s, "
            f"{beats / seconds / 1e6:.2f} million a second ({beats / busy / 1e6:.2f} million by "
            "processor time)"
        )


if __name__ == "__main__":
    main()
