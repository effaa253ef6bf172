"""The public names: what the documents promise can be imported, and what it takes."""

from __future__ import annotations

import dataclasses
import inspect
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from tools.record.normal import objects, paths

# What has an `__all__` of its own, as documented: every name in it.
PACKAGES: Final = ("hw_models", "qsim", "qsim.golden", "qsim.cosim", "qsim.executorch")

# What the documents use beside these, in code and as the object of a sentence.
NAMES: Final = (
    *("hw_models.FixedFormat.min", "hw_models.FixedFormat.max", "hw_models.FixedFormat.fits"),
    *("hw_models.FixedFormat.wrap", "hw_models.FixedFormat.saturate"),
    *("hw_models.FixedPoint.from_tflite", "hw_models.FixedPoint.from_scale"),
    *("hw_models.dynamic.choose_qparams", "hw_models.rounding.ROUNDINGS"),
    *(
        f"hw_models.{name}.reference"
        for name in (
            *("correlation", "transposed_correlation", "linear", "matmul", "bias_add"),
            *("requantize", "add", "sub", "mul", "max_pool", "avg_pool", "mean", "lookup"),
            *("interpolation", "softmax", "concat", "pad", "resize", "argmax"),
            *("quantize", "dequantize", "extremum", "shift", "activation", "float_requantize"),
        )
    ),
    *("hw_models.packing.pack", "hw_models.packing.unpack"),
    *("qsim.Target.load", "qsim.Target.names", "qsim.Target.from_toml", "qsim.Target.to_dict"),
    *("qsim.Target.from_dict", "qsim.Target.hash", "qsim.Target.short_hash", "qsim.Target.has"),
    *("qsim.QuantizeConfig.load", "qsim.Quantized.save_pt2", "qsim.quantizer.pt2.load_pt2"),
    *("qsim.Lowered.trace", "qsim.Lowered.quantized_io", "qsim.Lowered.save", "qsim.Trace.plot"),
    *("qsim.diagnose", "qsim.capture", "qsim.models.load", "qsim.models.Model"),
    *("qsim.models.builtin", "qsim.memory.plan", "qsim.memory.Plan", "qsim.target.derive"),
    *(f"qsim.target.derive.{name}" for name in ("requantizer", "adder", "pad_value")),
    *("qsim.program.Program", "qsim.program.Program.run", "qsim.program.Program.allocate"),
    *("qsim.program.Program.plan", "qsim.program.Program.stream"),
    *("qsim.golden.directed.variants", "qsim.primitives.PRIMITIVES"),
    *("qsim.extend.register_primitive", "qsim.extend.register_pattern"),
    *("qsim.extend.register_pass", "qsim.extend.load", "qsim.extend.GROUPS"),
    *("qsim.binding.Binding", "qsim.attributes.bad", "qsim.attributes.integer"),
    *("qsim.attributes.output_format", "qsim.attributes.format_from_json"),
    *("qsim.attributes.format_to_json", "qsim.lowering.view.NotLowerableError"),
    *("qsim.patterns.Pattern", "qsim.patterns.needs", "qsim.patterns.registry.BUILTIN"),
    *("qsim.quantizer.pass_order.Pass",),
    *("qsim.executorch.tosa.register", "qsim.executorch.delegate.run_blob"),
    *("qsim.cosim.build.build", "qsim.cosim.bulk.run_bulk", "qsim.cosim.jobs.job"),
    *(f"qsim.cosim.cocotb_lane.{name}" for name in ("cocotb_recipe", "play", "run_cocotb")),
    *("qsim.cosim.lane.Stimulus", "qsim.cosim.lane.Window", "qsim.cosim.toolchain.find"),
    *("qsim.cosim.wrapper.design", "qsim.pytest_plugin", "qsim.cli.main", "qsim.cli.app"),
)


def record() -> dict[str, Any]:
    """Return for each name what it is, and the signatures of it and its members."""
    named: dict[str, Any] = {}
    for package in PACKAGES:
        module = import_module(package)
        named[package] = {"kind": "module"}
        named |= {f"{package}.{name}": describe(f"{package}.{name}") for name in module.__all__}
    return named | {name: describe(name) for name in NAMES}


def describe(name: str) -> dict[str, Any]:
    """Return what a dotted name is; ``absent`` where it cannot be imported."""
    found, item = resolve(name)
    if not found:
        return {"kind": "absent"}
    if isinstance(item, ModuleType):
        return {"kind": "module"}
    if isinstance(item, type):
        return {"kind": "class", "signature": signature(item), "members": members(item)}
    if callable(item):
        return {"kind": "function", "signature": signature(item)}
    return {"kind": "value"}


def resolve(name: str) -> tuple[bool, Any]:
    """Return whether a dotted name can be imported or read, and what it is.

    Of a function and its module of one name (`hw_models.requantize`) the function comes first.
    """
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        try:
            item: Any = import_module(".".join(parts[:count]))
            for part in parts[count:]:
                item = getattr(item, part)
        except (ImportError, AttributeError):
            continue
        return True, item
    try:
        return True, import_module(name)
    except ImportError:
        return False, None


def members(item: type) -> dict[str, str]:
    """Return the public members of a class: methods with their signatures, fields, values."""
    fields = (
        [part.name for part in dataclasses.fields(item)] if dataclasses.is_dataclass(item) else []
    )
    own = [base for base in item.__mro__ if base.__module__.split(".")[0] in ("qsim", "hw_models")]
    names = {name for base in own for name in vars(base)} | set(fields)
    public = sorted(name for name in names if not name.startswith("_"))
    return {name: signature(inspect.getattr_static(item, name, None)) for name in public}


def signature(item: Any) -> str:
    """Return the parameters of something callable; its kind where it is not."""
    if isinstance(item, (classmethod, staticmethod)):
        return f"{type(item).__name__} {signature(item.__func__)}"
    if not callable(item):
        return "property" if isinstance(item, property) else "value"
    try:
        return paths(objects(str(inspect.signature(item))))
    except (TypeError, ValueError):
        return "no signature"
