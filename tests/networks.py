"""The built-in models, made once in each worker: a large one takes seconds; nobody changes them."""

from __future__ import annotations

from functools import cache

from torch.export import ExportedProgram

from qsim.graph.capturing import capture
from qsim.models import Model, builtin, load
from qsim.target import Target

# The targets on which every operator has codes, unless a configuration says otherwise.
STATIC = tuple(name for name in Target.names() if Target.load(name).dynamic is None)

# What takes images or sound; what takes tokens has tests of its own, and needs more packages.
IMAGES = tuple(known for known in builtin() if known.extra in ("", "models"))


@cache
def model(name: str) -> Model:
    """Return a built-in model that everybody reads."""
    return load(name)


@cache
def captured(name: str) -> ExportedProgram:
    """Return its graph, which every target's quantizer reads and none changes."""
    return capture(model(name).module, model(name).example_inputs)[0]
