"""Names that earlier versions documented, and where their modules stand now.

``from qsim.binding import Binding`` goes on working: the old name is an alias of the module itself,
found when it is asked for, so nothing is loaded before.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

MOVED: Final[Mapping[str, str]] = {
    "qsim.attributes": "qsim.program.attributes",
    "qsim.binding": "qsim.program.bindings.binding",
    "qsim.capture": "qsim.graph",
    "qsim.compare": "qsim.mismatch",
    "qsim.cosim.build": "qsim.cosim.simulators",
    "qsim.cosim.bulk": "qsim.cosim.lanes.bulk",
    "qsim.cosim.cocotb_lane": "qsim.cosim.lanes.cocotb_lane",
    "qsim.cosim.lane": "qsim.cosim.lanes",
    "qsim.cosim.toolchain": "qsim.cosim.simulators.toolchain",
    "qsim.cosim.wrapper": "qsim.cosim.simulators.wrapper",
    "qsim.executorch.delegate": "qsim.executorch.delegates",
    "qsim.executorch.tosa": "qsim.executorch.vendors.tosa",
    "qsim.liveness": "qsim.program.liveness",
    "qsim.patterns.pattern": "qsim.registry.pattern",
    "qsim.patterns.registry": "qsim.registry.patterns",
    "qsim.primitives": "qsim.program.primitives",
    "qsim.quantizer.pass_order": "qsim.registry.passes",
    "qsim.store": "qsim.network.store",
    "qsim.trace": "qsim.network.trace",
}


class _Alias(Loader):
    def __init__(self, name: str) -> None:
        self.name = name
        self.spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        del spec
        module = import_module(self.name)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec  # it has run under its own name, and keeps it


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        new = MOVED.get(fullname)
        return None if new is None else ModuleSpec(fullname, _Alias(new))


def install() -> None:
    """Make the old names importable; once is enough."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
