"""What a run of a ``.pte`` gave: plain data for the table and for ``--json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qsim.cli.pte import facts
from qsim.report import Share, by_reason, join, outputs_digest, winners_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qsim.cli.pte.opening import Opened
    from qsim.executorch.bundled import CaseResult
    from qsim.report import Array, Layer, Timing

# What only a run that watches the accumulators knows of a layer.
_WATCHED: Final = (
    *("accumulator_bits_used", "overflows", "clamped", "path", "reason", "first_overflow"),
    *("elements", "accumulators"),
)


@dataclass
class Result:
    """The result of a run.

    Attributes:
        opened: the program.
        samples: how many ran; 1 where the inputs have no batch.
        calls: of the program.
        source: what the samples are, in words.
        random: whether nobody chose them.
        timing: of the calls.
        outputs: of each call.
        accuracy: the fraction of right labels; None where there are none.
        watched: the layers with what their accumulators did, and the delegate of each; empty
            unless traced.
        methods: the method of each call, where a bundled program's cases ran.
        cases: what they gave; None where other samples ran.
    """

    opened: Opened
    samples: int
    calls: int
    source: str
    random: bool
    timing: Timing
    outputs: list[tuple[Any, ...]]
    accuracy: float | None = None
    watched: Sequence[tuple[int, Layer]] = ()
    methods: Sequence[str] = ()
    cases: Sequence[CaseResult] | None = None

    @property
    def delegated(self) -> bool:
        """Whether any of it runs on the hardware models."""
        return any(part.network is not None for part in self.opened.parts)

    @property
    def differing(self) -> bool:
        """Whether a case expects other bits."""
        return any(not case.ok for case in self.cases or ())

    def joined(self) -> list[Array]:
        """Return the outputs of all calls as arrays, method by method."""
        methods = self.methods or [self.opened.method.name] * len(self.outputs)
        calls: dict[str, list[list[Array]]] = {}
        for name, made in zip(methods, self.outputs, strict=True):
            calls.setdefault(name, []).append([to_array(value) for value in made])
        return [join(parts) for group in calls.values() for parts in zip(*group, strict=True)]

    @property
    def outputs_sha256(self) -> str:
        """See ``outputs_digest``."""
        return outputs_digest(self.joined())

    def layers(self) -> list[tuple[int, Layer]]:
        """Return every layer of our delegates, with the delegate's index."""
        if self.watched:
            return list(self.watched)
        return [(part.index, layer) for part in self.opened.parts for layer in part.layers()]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object: the keys of the other forms of MODEL, and what a ``.pte`` has."""
        opened = self.opened
        target = opened.target()
        outside: list[dict[str, Any]] = [
            {"operator": name, "layer": "", "reason": "outside the delegates", "calls": calls}
            for name, calls in facts.outside(opened.method).items()
        ]
        layers = self.layers()
        macs = Share(sum(layer.macs for _, layer in layers), 0).to_dict()
        operators = Share(len(layers), sum(item["calls"] for item in outside))
        return {
            "model": str(opened.path),
            "target": None if target is None else facts.named(target),
            "samples": self.samples,
            "accuracy": {
                "float": None,
                "qdq": None,
                "hardware": self.accuracy if self.delegated else None,
                "program": self.accuracy,
            },
            "host_operators": outside,
            "outputs_sha256": self.outputs_sha256,
            "seconds": self.timing.seconds,
            "compiling_seconds": self.timing.compiling_seconds,
            "layers": [self._layer(index, layer) for index, layer in layers],
            "agreement": {"qdq": None, "hardware": None},
            "classification": None,
            "outputs": None,
            # Nobody counts what ExecuTorch's own kernels multiply.
            "macs": macs | (dict.fromkeys(("host", "share")) if outside else {}),
            "operators": operators.to_dict(),
            "host_reasons": [group.to_dict() for group in by_reason(outside)],
            "source": self.source,
            "quantized_io": opened.integer_io,
            "method": opened.method.name,
            "calls": self.calls,
            "delegates": [part.to_dict() for part in opened.parts],
            "cases": None if self.cases is None else [_case(case) for case in self.cases],
        }

    def _layer(self, index: int, layer: Layer) -> dict[str, Any]:
        found = layer.to_dict()
        if not self.watched:
            found |= dict.fromkeys(_WATCHED)
        return found | {"delegate": index}


def _case(result: CaseResult) -> dict[str, Any]:
    """Return the JSON object of one case; ``equal`` is null where it expects nothing."""
    return {
        "method": result.method,
        "index": result.index,
        "equal": result.ok if result.compared else None,
        "differences": [difference.to_dict() for difference in result.differences],
    }


def to_array(value: Any) -> Array:
    """Return an output as an array; bfloat16, which NumPy has not, as its bits."""
    numpy = getattr(value, "numpy", None)
    if numpy is None:
        return np.asarray(value)
    if str(value.dtype) == "torch.bfloat16":
        import torch

        value = value.view(torch.uint16)
    array: Array = value.numpy()
    return array


def score(outputs: Sequence[Sequence[Any]], labels: Array) -> float | None:
    """Return the fraction of samples whose largest first output is the label's."""
    right = seen = 0
    for made in outputs:
        winners = winners_of((to_array(made[0]),)) if made else None
        if winners is None or winners.ndim != 1:
            return None
        right += int((winners == labels[seen : seen + len(winners)]).sum())
        seen += len(winners)
    return right / seen if seen == len(labels) else None
