"""Collects what a traced run makes; :mod:`qsim.network.trace` is what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qsim.network.trace import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    from hw_models import Ledger
    from qsim.program import Array, Call, Observer, Program, TensorSpec

    HostObserver: TypeAlias = Callable[[str], AbstractContextManager[None]]


class Recorder:
    """Collects what a traced run makes.

    Attributes:
        host: what each operator in torch runs in, by the name of its step; None for nothing.
    """

    def __init__(self, host: HostObserver | None = None) -> None:
        self.host = host
        self.tensors: dict[str, Array] = {}
        self.specs: dict[str, TensorSpec] = {}
        self.entries: list[Entry] = []

    def _key(self, program: Program, name: str) -> str:
        return name if name not in self.tensors else f"{program.name}.{name}"

    def _keep(self, key: str, array: Array, spec: TensorSpec) -> None:
        self.tensors[key] = np.asarray(array, order="C")  # keeps a scalar a scalar
        self.specs[key] = spec

    def observe(self, program: Program, arrays: Sequence[Array]) -> Observer:
        """Return the observer of one run of a program, after keeping its inputs."""
        keys: dict[str, str] = {}  # by the names of the program's own tensors
        for name, array in zip(program.inputs, arrays, strict=True):
            spec = program.tensors[name]
            codes = array.astype(spec.format.dtype)
            same = self.tensors.get(name)
            keys[name] = name
            if same is None or not (same.dtype == codes.dtype and np.array_equal(same, codes)):
                keys[name] = self._key(program, name)
                self._keep(keys[name], codes, spec)

        def visit(call: Call, array: Array, ledger: Ledger) -> None:
            spec = program.tensors[call.output]
            key = self._key(program, call.output)
            self._keep(key, array, spec)
            keys[call.output] = key
            self.entries.append(
                Entry(
                    call=call.name,
                    layer=call.layer,
                    primitive=call.primitive,
                    shape=array.shape,
                    macs=program.macs(call),
                    ledger=ledger,
                    tensor=key,
                    spec=spec,
                    operands=tuple(keys.get(name, name) for name in call.inputs),
                )
            )

        return visit
