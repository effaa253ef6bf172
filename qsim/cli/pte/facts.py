"""What a method of a ``.pte`` holds, without running it: interface, delegates, other operators."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qsim.executorch.pte import (
    PARAMETERS,
    DelegateCall,
    KernelCall,
    constant_of,
    parameter_stems,
)
from qsim.report import group_layers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsim.executorch.pte import Delegate, Method
    from qsim.network import Lowered
    from qsim.report import Layer


@dataclass(frozen=True)
class Part:
    """One delegate of a method.

    Attributes:
        index: in the method's list.
        backend: the name of its backend.
        size: bytes.
        calls: how many instructions call it.
        network: what its bytes hold, if it is ours.
    """

    index: int
    backend: str
    size: int
    calls: int
    network: Lowered | None

    def layers(self) -> list[Layer]:
        """Return its layers with shapes and MACs of one sample; nothing that only a run tells."""
        if self.network is None:
            return []
        programs = self.network.programs_in_order()
        layers, owners = group_layers(programs)
        calls = ((program, call) for program in programs for call in program.calls)
        for layer, (program, call) in zip(owners, calls, strict=True):
            layer.macs += program.macs(call)
        return layers

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all its calls, for one sample."""
        return self.calls * sum(layer.macs for layer in self.layers())

    @property
    def primitives(self) -> int:
        """How many primitive calls it makes."""
        programs = () if self.network is None else self.network.programs_in_order()
        return sum(len(program.calls) for program in programs)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "index": self.index,
            "backend": self.backend,
            "bytes": self.size,
            "calls": self.calls,
            "target": None if self.network is None else named(self.network.target),
            "primitives": None if self.network is None else self.primitives,
            "macs": None if self.network is None else self.macs,
        }


def named(target: Any) -> dict[str, str]:
    """Return the JSON object that names a target."""
    return {"name": target.name, "hash": target.hash}


def parts_of(method: Method) -> list[Part]:
    """Return the delegates of a method.

    Raises:
        FileFormatError: the bytes of one of ours are damaged, or made for another target than
            its compile specs state.
    """
    uses = Counter(
        instruction.delegate
        for chain in method.chains
        for instruction in chain
        if isinstance(instruction, DelegateCall)
    )
    return [
        Part(index, delegate.id, len(delegate.blob), uses[index], _network(delegate))
        for index, delegate in enumerate(method.delegates)
    ]


def _network(delegate: Delegate) -> Lowered | None:
    from qsim.executorch.delegates import OURS, open_blob

    if delegate.id != OURS:
        return None
    return open_blob(delegate.blob, delegate.compile_specs)


def outside(method: Method) -> dict[str, int]:
    """Return the operators that run outside delegates, and how many instructions call each."""
    return dict(
        Counter(
            method.operators[instruction.operator]
            for chain in method.chains
            for instruction in chain
            if isinstance(instruction, KernelCall)
        )
    )


@dataclass(frozen=True)
class Parameters:
    """What the file says of the codes of one input or output; None where it says nothing.

    It may say less than ``qsim.executorch.qparams`` wants: `qsim inspect` shows what is there.
    """

    scale: float | None = None
    zero_point: int | None = None
    least: int | None = None
    most: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON fields, named as those of ``qsim inspect net.qsim``."""
        known = self.least is not None and self.most is not None
        return {
            "scale": self.scale,
            "zero_point": self.zero_point,
            "codes": [self.least, self.most] if known else None,
        }


def parameters(methods: Mapping[str, Method], name: str) -> dict[tuple[str, int], Parameters]:
    """Return what a file says of the codes of a method's inputs and outputs.

    Args:
        methods: all of the file: the parameters are methods themselves.
        name: the method whose inputs and outputs are asked for.

    Returns:
        By side (``input``, ``output``) and position.
    """
    found = {}
    for place, stem in parameter_stems(methods, name).items():
        stated = {key: methods.get(f"{stem}{key}") for key in PARAMETERS}
        values = {key: constant_of(each) for key, each in stated.items() if each is not None}
        known = {key: item for key, item in values.items() if isinstance(item, (int, float))}
        if known:
            found[place] = Parameters(
                *(_number(known.get("scale"), float), _number(known.get("zp"), int)),
                *(_number(known.get(key), int) for key in ("quant_min", "quant_max")),
            )
    return found


def _number(value: Any, kind: Any) -> Any:
    return None if value is None else kind(value)
