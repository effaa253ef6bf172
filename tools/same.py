"""``python -m tools.same``: one digest for each network, whatever the machine is set to.

    python -m tools.same                      every built-in model under every setting
    python -m tools.same resnet8 file.py:net  these
    python -m tools.same --settings default,avx2

Each cell is a process of its own: it quantizes and lowers the model and computes two samples. The
settings choose torch's SIMD level, its number of threads and its libraries, NumPy's SIMD level and
the C library's mathematics: what differs between two machines, on one. Exit status 0 where every
model has one digest and one output, 1 where not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NUMPY: Final = "X86_V4 X86_V3 AVX512_ICL AVX512_SPR AVX512F AVX512CD AVX512_SKX AVX2 FMA3"
_LIBM: Final = "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F,-FMA4"


@dataclass(frozen=True)
class Setting:
    """What a process is started with.

    Attributes:
        name: in the table.
        environment: variables that it gets.
        threads: of torch; None for its own choice.
        mkldnn: whether torch may use oneDNN.
    """

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None
    mkldnn: bool = True


def _level(name: str, threads: int) -> Setting:
    plural = "s" if threads > 1 else ""
    return Setting(f"{name}, {threads} thread{plural}", {"ATEN_CPU_CAPABILITY": name}, threads)


SETTINGS: Final = (
    *(_level(level, threads) for level in ("default", "avx2", "avx512") for threads in (1, 2, 4)),
    Setting("no oneDNN", mkldnn=False),
    Setting("MKL_CBWR=COMPATIBLE", {"MKL_CBWR": "COMPATIBLE"}),
    Setting("MKL_ENABLE_INSTRUCTIONS=SSE4_2", {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}),
    Setting("NumPy without AVX", {"NPY_DISABLE_CPU_FEATURES": _NUMPY}),
    Setting("libm without FMA", {"GLIBC_TUNABLES": _LIBM}),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table, a line per model and setting; return the exit status."""
    options = _parser().parse_args(argv)
    if options.one:
        for result in _measure(options):
            print(json.dumps(result))
        return 0
    from qsim.models import builtin

    models = options.models or [k.name for k in builtin() if k.extra in ("", "models")]
    wanted = [part for part in options.settings.split(",") if part]
    chosen = [s for s in SETTINGS if not wanted or any(s.name.startswith(w) for w in wanted)]
    if not chosen:
        _parser().error(f"no setting begins with {options.settings}")
    differing = [name for name in models if not _same(name, options.target, chosen)]
    print(f"{len(models) - len(differing)} of {len(models)} models have one digest", end="")
    print(f"; these have not: {', '.join(differing)}" if differing else ".")
    return 1 if differing else 0


def _same(model: str, target: str, settings: Sequence[Setting]) -> bool:
    found = set()
    for setting in settings:
        began = time.perf_counter()
        (result,) = start([model], target, setting)
        found.add((result["network"], result["outputs"]))
        seconds = time.perf_counter() - began
        digests = f"network {result['network'][:16]}  outputs {result['outputs'][:16]}"
        ran = f"{result['level']} x{result['threads']}"
        print(f"{model:14} {setting.name:32} {ran:11} {digests} {seconds:6.1f} s", flush=True)
    return len(found) == 1


def start(models: Sequence[str], target: str, setting: Setting) -> list[dict[str, Any]]:
    """Return what a process with a setting makes of each model.

    Raises:
        RuntimeError: it failed.
    """
    command = [sys.executable, "-m", "tools.same", "--one", *models, "--target", target]
    command += [] if setting.threads is None else ["--threads", str(setting.threads)]
    command += [] if setting.mkldnn else ["--no-mkldnn"]
    environment = {**os.environ, **setting.environment}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{', '.join(models)}, {setting.name}: {ended.stderr[-2000:]}")
    return [json.loads(line) for line in ended.stdout.splitlines()[-len(models) :]]


def _measure(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    import torch

    import qsim
    from qsim.models import load
    from qsim.report import as_arrays, outputs_digest

    torch.backends.mkldnn.enabled = options.mkldnn  # type: ignore[assignment]  # a property of a module
    target = qsim.Target.load(options.target)
    for spec in options.models:
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        threads = torch.get_num_threads()  # Numba's OpenMP changes it later on
        model = load(spec)
        quantized = qsim.quantize(
            model.module, model.example_inputs, target, calibration=model.calibration
        )
        lowered = qsim.lower(quantized)
        given = model.samples[0] if model.samples else model.example_inputs
        inputs = given if isinstance(given, tuple) else (given,)
        few = [x[:2].numpy() for x in inputs]
        yield {
            "network": lowered.digest,
            "outputs": outputs_digest(as_arrays(lowered(*few))),
            "level": torch.backends.cpu.get_cpu_capability(),
            "threads": threads,
        }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.same", description=__doc__)
    which = "as for `qsim run`; if none, the built-in ones of images and sound"
    parser.add_argument("models", nargs="*", help=which)
    parser.add_argument("--target", default="tflite")
    parser.add_argument("--settings", default="", help="beginnings of their names, with commas")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--no-mkldnn", dest="mkldnn", action="store_false", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
