"""Numbers and findings in words, shared by the table and the HTML report."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.report.result import AccumulatorUse, Evaluation, Layer

NONE: Final = "–"
GRAPHS: Final = {"float": "float", "qdq": "Q/DQ", "hardware": "hardware"}
# Below this, a layer's output keeps fewer than about two significant bits.
LOW_SQNR_DB: Final = 10.0
# A finding names so many layers; the table has them all.
MOST_NAMED: Final = 5
# What stands beside every figure that is taken against the Q/DQ graph.
NO_ORACLE: Final = (
    "max LSB and differing compare codes with the Q/DQ graph, which is float inside: it is no "
    "oracle. The hardware's integers are the target's."
)
RANDOM: Final = (
    "The samples are random and not representative: integers, widths and overflows are exact, "
    "but SQNR and agreement say nothing about quality. Give --inputs (and --labels)."
)
_NOT_FLOAT32: Final = re.compile(r"\b(float16|bfloat16|float64)\b")
_VERBS: Final = {"wrap": "wrapped around", "error": "overflowed"}


def count(value: int | None) -> str:
    """Return an integer with thousands separators."""
    return NONE if value is None else f"{value:,}"


def compact(value: int) -> str:
    """Return a count in three digits: ``36.9k``, ``1.18M``."""
    if value < 1000:
        return str(value)
    power = next((power for power in (1, 2, 3) if value / 1000**power < 999.5), 4)
    scaled, suffix = value / 1000**power, "kMGT"[power - 1]
    return f"{scaled:.{0 if scaled >= 99.95 else 1 if scaled >= 9.995 else 2}f}{suffix}"


def percent(fraction: float | None) -> str:
    """Return a fraction as a percentage with two decimals; 100 % only if it is exactly 1."""
    if fraction is None:
        return NONE
    value = fraction * 100
    text = f"{value:.2f}"
    return ("99.99" if text == "100.00" and fraction < 1 else text) + " %"


def share(part: int, whole: int) -> str:
    """Return part / whole as a short percentage; a part that exists is never shown as 0."""
    if not part or not whole:
        return "0 %"
    value = 100 * part / whole
    return "<0.1 %" if value < 0.05 else f"{value:.1f} %" if value < 99.95 else "100 %"


def decibel(value: float | None) -> str:
    """Return an SQNR in dB with one decimal; ∞ where the codes are the float values."""
    if value is None:
        return NONE
    return f"{'-' if value < 0 else ''}∞" if math.isinf(value) else f"{value:.1f}"


def dimensions(shape: Sequence[int]) -> str:
    """Return a shape as ``16×8×8``."""
    return "×".join(map(str, shape)) or "scalar"


def bits(layer: Layer) -> str:
    """Return the bits a layer's tightest register used and has: ``19/32``."""
    tight = layer.accumulator
    return NONE if tight is None else register_bits(tight)


def register_bits(use: AccumulatorUse) -> str:
    """Return the bits a register used and has; ``?/32`` where no run recorded it."""
    return f"{use.bits_used if use.watched else '?'}/{use.bits}"


def place(first: tuple[int, ...] | None) -> str:
    """Return where something was first: ``sample 3 at [1, 2, 0]``."""
    if first is None:
        return NONE
    return f"sample {first[0]} at [{', '.join(map(str, first[1:]))}]"


def took(evaluation: Evaluation) -> str:
    """Return how long the hardware model ran, and what that counts."""
    return (
        f"hardware model: {evaluation.seconds:.2f} s for all samples, traced, host operators "
        "included, compiling not"
    )


def placement(evaluation: Evaluation) -> str:
    """Return how much of the network is on the accelerator."""
    macs, operators = evaluation.macs, evaluation.operators
    shown = f"{compact(macs.accelerator)} of {compact(macs.total)} MACs per sample"
    if macs.total:
        shown += f" ({percent(macs.fraction)})"
    return f"{shown}, {operators.accelerator:,} of {plural(operators.total, 'operator')}"


def tail(text: str, length: int) -> str:
    """Shorten a module path at its front, where paths are alike."""
    return text if len(text) <= length else f"…{text[len(text) - length + 1 :]}"


def tail_of_path(path: str, length: int) -> str:
    """Shorten a module path at its front, at a dot; its last part is never cut."""
    parts = path.split(".")
    kept = parts.pop()
    while parts and len(f"….{parts[-1]}.{kept}") <= length:
        kept = f"{parts.pop()}.{kept}"
    return f"….{kept}" if parts else kept


def plural(number: int, noun: str) -> str:
    """Return ``1 layer`` or ``3 layers``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def findings(evaluation: Evaluation) -> list[str]:
    """Return what a reader must know beyond the numbers, one sentence each."""
    quality = [RANDOM] if evaluation.random else _weak(evaluation.layers)
    layers = evaluation.layers
    lost = [*_raised(evaluation.raised), *evaluation.warnings]
    return [*_hints(evaluation), *overflowed(layers), *unwatched(layers), *lost, *quality]


def _raised(items: Sequence[dict[str, Any]]) -> list[str]:
    """Return which scales were raised so that codes fit their registers, the most raised first."""
    if not items:
        return []
    ordered = sorted(items, key=lambda item: -float(item["factor"]))
    named = []
    for item in ordered[:MOST_NAMED]:
        channel = "" if item["channel"] is None else f" of channel {item['channel']}"
        more = f", {item['channels']} channels" if item["channels"] > 1 else ""
        factor = f"{item['factor']:.3g} times{more}"
        named.append(f"{item['layer']} {item['tensor']}{channel} ({factor})".strip())
    rest = f"; and {len(ordered) - MOST_NAMED} more" if len(ordered) > MOST_NAMED else ""
    noun = plural(len(ordered), "tensor")
    return [f"Scales of {noun} were raised to fit the registers: {'; '.join(named)}{rest}."]


def nothing(evaluation: Evaluation) -> str:
    """Return why the table of layers is empty."""
    if evaluation.layers:
        return "No layer computes on the accelerator; some move data there."
    number = len(evaluation.host_operators)
    if not number:
        return "Nothing runs on the accelerator: the network computes nothing."
    stay = "its only operator stays" if number == 1 else f"all {number:,} operators stay"
    return f"Nothing runs on the accelerator: {stay} on the host."


def _hints(evaluation: Evaluation) -> list[str]:
    reasons = [item.get("reason", "") for item in evaluation.host_operators]
    if evaluation.layers or not any(map(_NOT_FLOAT32.search, reasons)):
        return []
    return ["The weights or inputs are not float32: call .float() on the model and its inputs."]


def overflowed(layers: Sequence[Layer]) -> list[str]:
    """Return which registers overflowed, how and where first, in words."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for layer in layers:
        for use in layer.accumulators:
            if use.overflows:
                verb = _VERBS.get(use.overflow, "saturated")
                noun = "accumulator" if use.register == "accumulator" else "register"
                first = f", the first in {place(use.first)}" if use.first else ""
                kinds.setdefault((noun, verb), []).append(
                    f"{layer.name} {use.name} (needs {use.bits_used} bits, has {use.bits}; "
                    f"{plural(use.overflows, 'output')}{first})"
                )
    return [
        f"{plural(len(items), noun)} {verb}: {'; '.join(items[:MOST_NAMED])}"
        f"{f'; and {len(items) - MOST_NAMED} more' if len(items) > MOST_NAMED else ''}."
        for (noun, verb), items in kinds.items()
    ]


def unwatched(layers: Sequence[Layer]) -> list[str]:
    """Return which declared registers no run recorded: an extension's ledger leaves them out."""
    names = [
        f"{layer.name} {use.name}"
        for layer in layers
        for use in layer.accumulators
        if not use.watched
    ]
    if not names:
        return []
    verb = "is" if len(names) == 1 else "are"
    return [f"{plural(len(names), 'register')} {verb} in no ledger: {', '.join(names)}."]


def _weak(layers: Sequence[Layer]) -> list[str]:
    weak = [
        (layer.sqnr_db, layer.name)
        for layer in layers
        if layer.sqnr_db is not None and layer.sqnr_db < LOW_SQNR_DB and not layer.shape_only
    ]
    if not weak:
        return []
    verb = "is" if len(weak) == 1 else "are"
    worst = sorted(weak)[:MOST_NAMED]
    named = ", ".join(f"{name} ({decibel(value)} dB)" for value, name in worst)
    more = f" and {len(weak) - len(worst)} more" if len(weak) > len(worst) else ""
    head = f"{plural(len(weak), 'layer')} {verb} below {LOW_SQNR_DB:.0f} dB against float"
    return [f"{head}, worst first: {named}{more}."]


def kernels(layers: Sequence[Layer]) -> str:
    """Return which kernels computed how many layers, the most used first."""
    paths = [layer.path for layer in layers if layer.path]
    ordered = sorted(dict.fromkeys(paths), key=lambda path: -paths.count(path))
    return ", ".join(f"{path} {paths.count(path)}" for path in ordered)
