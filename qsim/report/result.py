"""The result of a run: plain data that the evaluator fills and every report reads."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from qsim.report.outputs import OutputUse, decibels
from qsim.report.placement import HostGroup, Share, by_reason

if TYPE_CHECKING:
    from qsim.target import Target

SHAPE_ONLY: Final = frozenset({"reshape", "permute"})


@dataclass
class AccumulatorUse:
    """One register over all samples: a call's accumulator, or one of its scheme.

    Attributes:
        call: the call that owns the register, such as ``conv2d_1.correlation``.
        bits: declared width.
        overflow: what the register does when it overflows: wrap, saturate, ...
        bits_used: the smallest width that would have been safe.
        overflows: output elements in which the overflow rule changed something.
        first: (sample, *index) of the first of them, in C order of the call's output.
        register: its name in the call's ledger.
        watched: whether a run recorded it.
    """

    call: str
    bits: int
    overflow: str
    bits_used: int = 0
    overflows: int = 0
    first: tuple[int, ...] | None = None
    register: str = "accumulator"
    watched: bool = True

    @property
    def name(self) -> str:
        """The primitive of the call and, where it is not the accumulator, the register."""
        primitive = self.call.rsplit(".", 1)[-1]
        return primitive if self.register == "accumulator" else f"{primitive} {self.register}"


@dataclass
class Layer:
    """One layer over all samples; what a row of the report shows.

    Attributes:
        name: module path in the model, or the graph's node name where there is none.
        anchor: the node that the layer's calls are named after.
        primitive: what the layer's first call computes, but for what quantizes its operand.
        node: the layer's output, as named in the float and in the Q/DQ graph.
        tensor: the layer's output, as named in the trace.
        shape: of one sample.
        real: the output is float32, not codes.
        macs: multiply-accumulates of one sample.
        has_float, has_qdq: whether that graph was compared.
        lsb_max: largest difference of a hardware code to its Q/DQ code.
        lsb_differing: how many codes differ.
        clamped: outputs that the output range or a fused activation clamped.
        path: the kernel that computed the layer; ``reason`` says why it is exact here.
    """

    name: str
    anchor: str
    primitive: str
    node: str
    tensor: str
    shape: tuple[int, ...]
    accumulators: list[AccumulatorUse]
    real: bool = False
    macs: int = 0
    has_float: bool = False
    has_qdq: bool = False
    lsb_max: int = 0
    lsb_differing: int = 0
    clamped: int = 0
    elements: int = 0
    path: str = ""
    reason: str = ""
    signal: float = 0.0
    noise: float = 0.0

    @property
    def sqnr_db(self) -> float | None:
        """Signal to quantization noise against the float graph, in dB; inf where exact."""
        if not self.has_float:
            return None
        return decibels(self.signal, self.noise)

    @property
    def accumulator(self) -> AccumulatorUse | None:
        """The layer's register with the least headroom."""
        seen = [use for use in self.accumulators if use.watched] or self.accumulators
        return min(seen, key=lambda use: use.bits - use.bits_used, default=None)

    @property
    def overflows(self) -> int:
        """Overflowing elements over the layer's registers."""
        return sum(use.overflows for use in self.accumulators)

    @property
    def first_overflow(self) -> tuple[int, ...] | None:
        """(sample, *index) of the first overflow of the first register that has one."""
        return next((use.first for use in self.accumulators if use.overflows), None)

    @property
    def shape_only(self) -> bool:
        """Whether the layer only moves data."""
        return self.primitive in SHAPE_ONLY

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of one layer."""
        tight, sqnr = self.accumulator, self.sqnr_db
        return {
            "name": self.name,
            "primitive": self.primitive,
            "shape": list(self.shape),
            "macs": self.macs,
            "sqnr_db": None if sqnr is None or math.isinf(sqnr) else sqnr,
            "lsb_max": self.lsb_max if self.has_qdq else None,
            "lsb_differing": self.lsb_differing if self.has_qdq else None,
            "accumulator_bits": tight.bits if tight else None,
            "accumulator_bits_used": tight.bits_used if tight else None,
            "overflows": self.overflows,
            "clamped": self.clamped,
            "path": self.path,
            "reason": self.reason,
            "tensor": self.tensor,
            "elements": self.elements,
            "sqnr_infinite": sqnr is not None and math.isinf(sqnr),
            "first_overflow": _list(self.first_overflow),
            "accumulators": [
                {
                    "call": use.call,
                    "bits": use.bits,
                    "bits_used": use.bits_used,
                    "overflow": use.overflow,
                    "overflows": use.overflows,
                    "first": _list(use.first),
                    "register": use.register,
                }
                for use in self.accumulators
            ],
        }


@dataclass
class Evaluation:
    """The result of a run.

    Attributes:
        accuracy: fractions of right labels for ``float``, ``qdq`` and ``hardware``; None
            where there are no labels or no such graph, and for the hardware where nothing runs on
            the accelerator.
        agreement: fractions of outputs whose argmax is that of the float graph, for ``qdq``
            and ``hardware``; None where there is no float graph or nothing to take an argmax of,
            and for the hardware where nothing runs on the accelerator; None where the output is no
            classification.
        network_sha256: of all that decides the integers: see ``qsim.network.digest``.
        outputs_sha256: see :func:`outputs_digest`.
        seconds: wall time of the hardware part, without what its kernels took to be compiled.
        compiling_seconds: what they took to be compiled, or loaded from the disk.
        host_operators: what ran in torch: operator, layer, reason, its kind, what the target lacks,
            and the multiply-accumulates of one sample where they were counted.
        raised: scales that the quantizer raised so that codes fit registers: layer, tensor,
            channels, channel, factor.
        warnings: what lowering found that the datapath loses, in words.
        random: whether the samples are random: integers and widths mean something, quality not.
        classification: whether there are labels, or the first output is a softmax or a linear of
            rank 2.
        outputs: what each output is worth.
        macs: multiply-accumulates of one sample.
        contract: the target itself; without it nothing is advised.
    """

    model: str
    target: dict[str, str]
    samples: int
    accuracy: dict[str, float | None]
    agreement: dict[str, float | None]
    host_operators: list[dict[str, Any]]
    outputs_sha256: str
    seconds: float
    compiling_seconds: float
    layers: list[Layer] = field(default_factory=list)
    random: bool = False
    classification: bool = True
    outputs: list[OutputUse] = field(default_factory=list)
    macs: Share = Share(0, 0)  # noqa: RUF009  # frozen
    network_sha256: str = ""
    raised: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    contract: Target | None = None

    @property
    def host_reasons(self) -> list[HostGroup]:
        """What ran in torch, grouped by the reason."""
        return by_reason(self.host_operators, self.contract)

    @property
    def operators(self) -> Share:
        """Operators of the model: a layer is one, its fused activation included."""
        return Share(len(self.layers), len(self.host_operators))

    @property
    def labelled(self) -> bool:
        """Whether the samples have labels that some graph's output can be right about."""
        return any(value is not None for value in self.accuracy.values())

    @property
    def scores(self) -> dict[str, float | None]:
        """Accuracy, or agreement where there are no labels; empty where neither says anything.

        The hardware's is None where nothing runs on the accelerator.
        """
        values = self.accuracy if self.labelled else self.agreement
        if self.random or not any(value is not None for value in values.values()):
            return {}
        return {
            name: value for name, value in values.items() if value is not None or name == "hardware"
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of ``qsim run --json``."""
        return {
            "model": self.model,
            "target": self.target,
            "samples": self.samples,
            "accuracy": self.accuracy,
            "host_operators": self.host_operators,
            "network_sha256": self.network_sha256,
            "outputs_sha256": self.outputs_sha256,
            "seconds": self.seconds,
            "compiling_seconds": self.compiling_seconds,
            "layers": [layer.to_dict() for layer in self.layers],
            "agreement": self.agreement,
            "classification": self.classification,
            "outputs": [use.to_dict() for use in self.outputs],
            "macs": self.macs.to_dict(),
            "operators": self.operators.to_dict(),
            "host_reasons": [group.to_dict() for group in self.host_reasons],
            "raised_scales": self.raised,
            "warnings": self.warnings,
        }


def _list(index: tuple[int, ...] | None) -> list[int] | None:
    return None if index is None else [int(i) for i in index]
