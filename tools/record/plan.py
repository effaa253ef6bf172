"""All that is recorded: units, each of which a worker can record alone, in groups."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from tools.record.normal import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS: Final = (
    *("mobilenet_v2", "resnet18", "mobilenet_v1"),  # the slow ones first
    *("digits", "resnet8", "ds_cnn", "autoencoder"),
)
OWN: Final = ("tiny", "mixed")  # of tools.record.networks
TARGETS: Final = (
    *("asic-example", "cmsis-nn", "deeploy-like", "fbgemm-dynamic", "fbgemm-dynamic-whole"),
    *("int4", "integer-transformer"),
    *("litert-optimized", "litert-reference", "narrow20", "nvdla-like", "onnxruntime"),
    *("onnxruntime-dynamic", "onnxruntime-dynamic-whole", "pytorch", "q15", "q7", "tflite"),
    *("tflite-int16x8", "tflite-single", "torchao-int8", "torchao-intx", "tosa", "xnnpack"),
)
_SIMULATED: Final = ("requantize", "bias_add", "add", "correlation", "max_pool", "avg_pool")
_STALLS: Final = ("--stall", "0.25", "--seed", "5")


@dataclass(frozen=True)
class Unit:
    """Something to record.

    Attributes:
        name: unique; its first part is the kind.
        group: units of one group are recorded by one worker, one after the other.
        record: returns the records; runs in an empty folder.
        model: of `--models`; "" where it has none.
        target: of `--targets`; "" where it has none.
    """

    name: str
    group: str
    record: Callable[[], dict[str, Any]]
    model: str = ""
    target: str = ""


def units() -> list[Unit]:
    """Return all units. What they run is imported when they run."""
    return [
        *_pairs(),
        *_programs(),
        *_golden(),
        *_rtl(),
        *_texts(),
    ]


def select(
    chosen: list[Unit], models: list[str], targets: list[str], patterns: list[str]
) -> list[Unit]:
    """Return the units of these models and targets whose name matches; an empty list: all."""
    return [
        unit
        for unit in chosen
        if (not models or unit.model in models)
        and (not targets or unit.target in targets)
        and (not patterns or any(fnmatch(unit.name, pattern) for pattern in patterns))
    ]


def _pairs() -> list[Unit]:
    found = [
        Unit(f"pair/{model}/{target}", model, _call("pairs.record", model, target), model, target)
        for model in MODELS
        for target in TARGETS
    ]
    for model in OWN:
        for target in TARGETS:
            factory = f"tools.record.networks:{model}"
            call = _call("pairs.record", factory, target, name=model)
            found.append(Unit(f"network/{model}/{target}", "networks", call, model, target))
    return found


def _programs() -> list[Unit]:
    calls = {
        f"pte/digits/{target}": _call("programs.record", "digits", target) for target in TARGETS
    }
    calls |= {
        f"{what}/digits/{target}": _call(function, target)
        for target in ("tflite", "q7")
        for what, function in (("pte-shown", "programs.shown"), ("bundle", "programs.bundles"))
    }
    return _of_digits("programs", calls)


def _golden() -> list[Unit]:
    calls = {
        f"golden/digits/{target}": _call("golden.of_network", "digits", target)
        for target in TARGETS
    }
    calls |= {
        f"shown/digits/{target}": _call("shown.record", "digits", target)
        for target in ("tflite", "narrow20", "q7", "onnxruntime")
    }
    mixed = "tools.record.networks:mixed"
    calls |= {
        f"golden/mixed/{target}": _call("golden.of_network", mixed, target)
        for target in ("tflite", "narrow20", "onnxruntime")
    }
    calls |= {f"directed/{target}": _call("golden.directed", target) for target in TARGETS}
    folders = sorted(item.name for item in (ROOT / "golden").iterdir() if item.is_dir())
    calls |= {f"shipped/{folder}": _call("golden.shipped", folder) for folder in folders}
    calls["golden-damaged"] = _call("golden.damaged")
    return _of_digits("golden", calls)


def _rtl() -> list[Unit]:
    calls = {}
    for simulator in ("icarus", "verilator"):
        bulk = _call("rtl.network", "tflite", simulator, "bulk")
        calls[f"cosim/digits/tflite/{simulator}/bulk"] = bulk
        stalled = _call("rtl.network", "tflite", simulator, "cocotb", *_STALLS)
        calls[f"cosim/digits/tflite/{simulator}/cocotb"] = stalled
        engine = _call("rtl.network", "tflite", simulator, "bulk", "--engine")
        calls[f"cosim/digits/tflite/{simulator}/engine"] = engine
        stalls = _call("rtl.primitive", "requantize", simulator, "cocotb", *_STALLS)
        calls[f"cosim/requantize/{simulator}/cocotb"] = stalls
    # Verilator compiles for seconds what Icarus compiles at once.
    for target in ("q7", "narrow20"):
        bulk = _call("rtl.network", target, "icarus", "bulk")
        calls[f"cosim/digits/{target}/icarus/bulk"] = bulk
    for folder in _SIMULATED:
        call = _call("rtl.primitive", folder, "icarus", "bulk")
        calls[f"cosim/{folder}/icarus/bulk"] = call
    calls["cosim/requantize/verilator/bulk"] = _call(
        "rtl.primitive", "requantize", "verilator", "bulk"
    )
    calls["cosim/drawn"] = _call("rtl.drawn", "narrow20")
    calls["cosim/own"] = _call("rtl.own_design")
    calls["prove/stream_register"] = _call("rtl.proof", "stream_register")
    calls["prove/lookup"] = _call("rtl.proof", "lookup")
    calls["prove/bias_add"] = _call("rtl.proof", "bias_add", "--target", "narrow20")
    return _of_digits("rtl", calls)


def _texts() -> list[Unit]:
    names = (
        *("texts.helps", "texts.targets", "texts.models", "names.record"),
        *("errors.bad", "errors.lines", "errors.missing"),
    )
    return _of_digits("texts", {name.replace(".", "/"): _call(name) for name in names})


def _of_digits(group: str, calls: dict[str, Callable[[], dict[str, Any]]]) -> list[Unit]:
    found = []
    for name, call in calls.items():
        target = next((part for part in name.split("/") if part in TARGETS), "")
        model = "digits" if "/digits/" in name else ""
        found.append(Unit(name, group, call, model, target))
    return found


def _call(function: str, *arguments: str, **keywords: str) -> Callable[[], dict[str, Any]]:
    return partial(_record, function, *arguments, **keywords)


def _record(function: str, *arguments: str, **keywords: str) -> dict[str, Any]:
    module, _, name = function.partition(".")
    found: dict[str, Any] = getattr(import_module(f"tools.record.{module}"), name)(
        *arguments, **keywords
    )
    return found
