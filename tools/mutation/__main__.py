"""``python -m tools.mutation``: mutants of every RTL primitive against the golden sets."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qsim.cosim.toolchain import find
from qsim.golden import load
from tools.mutation.campaign import run

if TYPE_CHECKING:
    from tools.mutation.campaign import Score

PRIMITIVES: Final = (
    "requantize",
    "bias_add",
    "add",
    "lookup",
    "max_pool",
    "avg_pool",
    "correlation",
)
GOLDEN: Final = Path(__file__).resolve().parents[2] / "golden"


def main() -> int:
    """Run the campaigns; exit status 1 where a mutant survived that is not equivalent."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutation")
    parser.add_argument("sets", nargs="*", default=PRIMITIVES, help="names of folders of golden/")
    parser.add_argument("--count", type=int, default=64, help="mutants of each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--simulator", default="icarus", choices=("icarus", "verilator"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    simulator = find(options.simulator)
    documents = []
    if not options.json:
        print(f"{'set':<22}{'beats':>8}{'mutants':>9}{'killed':>8}{'equal':>7}{'left':>6}  score")
    for name in options.sets:
        start = time.perf_counter()
        golden = load(GOLDEN / name)
        score = run(golden.cases, golden.target, simulator, options.count, options.seed)
        documents.append(document(name, score, time.perf_counter() - start))
        if not options.json:
            show(name, score)
    if options.json:
        json.dump({"seed": options.seed, "sets": documents}, sys.stdout, indent=2)
    return int(any(item["survived"] for item in documents))


def show(name: str, score: Score) -> None:
    """Print one line, and one for each survivor."""
    counts = (score.count("killed"), score.count("equivalent"), score.count("survived"))
    print(
        f"{name:<22}{score.beats:>8}{len(score.mutants):>9}{counts[0]:>8}{counts[1]:>7}"
        f"{counts[2]:>6}  {100 * score.score:.1f} %",
        flush=True,
    )
    for mutant in score.mutants:
        if mutant.status == "survived":
            print(f"  {mutant.number:>3} {mutant.note}: {mutant.change[:88]}", flush=True)


def document(name: str, score: Score, seconds: float) -> dict[str, object]:
    """Return one campaign as JSON."""
    return {
        "set": name,
        "primitive": score.primitive,
        "parameters": score.parameters,
        "beats": score.beats,
        "mutants": len(score.mutants),
        "killed": score.count("killed"),
        "equivalent": score.count("equivalent"),
        "survived": score.count("survived"),
        "score": round(score.score, 4),
        "seconds": round(seconds, 1),
        "survivors": [
            {"number": m.number, "note": m.note, "change": m.change}
            for m in score.mutants
            if m.status == "survived"
        ],
    }


if __name__ == "__main__":
    raise SystemExit(main())
