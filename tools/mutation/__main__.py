"""``python -m tools.mutation``: mutants of every RTL primitive against the golden sets."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qsim.cosim.simulators import find
from qsim.golden import load
from tools.mutation.campaign import run
from tools.mutation.explained import EXPLAINED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.mutants import Score

PRIMITIVES: Final = (
    "requantize",
    "bias_add",
    "add",
    "lookup",
    "max_pool",
    "avg_pool",
    "correlation",
    "move",
    "norm",
    "softmax",
    "rotary",
)
# Sets of another name than their primitive; and of a module that several primitives run on: what
# one leaves of it, another one uses.
SETS: Final[Mapping[str, tuple[str, ...]]] = {
    "move": ("strided_slice", "gather"),
    "norm": ("layer_norm", "group_norm"),
    "softmax": ("softmax-integer-transformer",),
    "rotary": ("rotary-integer-transformer",),
}
COUNT, SEED = 64, 1
GOLDEN: Final = Path(__file__).resolve().parents[2] / "golden"


def main() -> int:
    """Run the campaigns; exit status 1 where a survivor is neither equivalent nor explained."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutation")
    parser.add_argument("sets", nargs="*", default=PRIMITIVES, help="names of folders of golden/")
    parser.add_argument("--count", type=int, default=COUNT, help="mutants of each")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--simulator", default="icarus", choices=("icarus", "verilator"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    simulator = find(options.simulator)
    documents = []
    stale = []
    if not options.json:
        heads = f"{'killed':>8}{'equal':>7}{'explained':>11}{'left':>6}  score"
        print(f"{'set':<22}{'beats':>8}{'mutants':>9}{heads}")
    for name in options.sets:
        start = time.perf_counter()
        loaded = [load(GOLDEN / part) for part in SETS.get(name, (name,))]
        cases = [case for golden in loaded for case in golden.cases]
        score = run(cases, loaded[0].target, simulator, options.count, options.seed)
        documents.append(document(name, score, time.perf_counter() - start))
        if not options.json:
            show(name, score)
        if (options.count, options.seed) == (COUNT, SEED) and name == score.primitive:
            stale += unused(score)
    for change in stale:
        print(f"stale: no survivor needs the explanation of {change}", file=sys.stderr)
    if options.json:
        json.dump({"seed": options.seed, "sets": documents}, sys.stdout, indent=2)
    return int(bool(stale) or any(item["survived"] for item in documents))


def unused(score: Score) -> list[str]:
    """Return the changes that are explained but are no survivors of this campaign."""
    needed = {mutant.change for mutant in score.mutants if mutant.status == "explained"}
    return [change for change in EXPLAINED.get(score.primitive, {}) if change not in needed]


def show(name: str, score: Score) -> None:
    """Print one line, and one for each survivor."""
    counts = [score.count(s) for s in ("killed", "equivalent", "explained", "survived")]
    print(
        f"{name:<22}{score.beats:>8}{len(score.mutants):>9}{counts[0]:>8}{counts[1]:>7}"
        f"{counts[2]:>11}{counts[3]:>6}  {100 * score.score:.1f} %",
        flush=True,
    )
    for mutant in score.mutants:
        if mutant.status in ("survived", "explained"):
            print(
                f"  {mutant.number:>3} {mutant.status}, {mutant.note}: {mutant.change}", flush=True
            )


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
        "explained": score.count("explained"),
        "survived": score.count("survived"),
        "score": round(score.score, 4),
        "seconds": round(seconds, 1),
        "survivors": [
            {"number": m.number, "status": m.status, "note": m.note, "change": m.change}
            for m in score.mutants
            if m.status in ("survived", "explained")
        ],
    }


if __name__ == "__main__":
    raise SystemExit(main())
