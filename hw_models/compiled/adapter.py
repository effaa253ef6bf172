"""The private parts of Numba that are needed to keep kernels by a key of our own.

Checked with Numba 0.61 and 0.68. With a Numba that lacks them kernels are compiled in memory.

One kernel of one signature is one index and one data file: Numba's own index holds all signatures
of a function, and of two processes that add to it at once one may find the other's code.
"""

from __future__ import annotations

import hashlib
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import llvmlite
import numba
import numpy as np
from llvmlite.binding import llvm_version_info
from numba.core import config
from numba.core.registry import cpu_target
from numba.core.sigutils import normalize_signature
from numba.extending import is_jitted

from hw_models.compiled import instructions, store
from hw_models.compiled.observer import Event, observed, tell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hw_models.compiled.observer import State

try:
    from numba.core.caching import IndexDataCacheFile
    from numba.core.compiler import CompileResult

    SUPPORTED = hasattr(CompileResult, "_reduce") and hasattr(CompileResult, "_rebuild")
except ImportError:
    SUPPORTED = False

# Settings of Numba that change the code which it makes, and that its own index does not know.
_SETTINGS: Final = (
    "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK", "DEBUGINFO_DEFAULT",
    "LLVM_REFPRUNE_PASS", "DISABLE_INTEL_SVML",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Toolchain:
    """What makes machine code of sources."""

    numba: str
    llvmlite: str
    llvm: str
    numpy: str
    python: str
    triple: str
    processor: str
    features: str
    modelled: str
    matrix: str
    settings: str

    @classmethod
    def of(cls, codegen: Any) -> Toolchain:
        """Return that of this process."""
        triple, processor, features = codegen.magic_tuple()
        return cls(
            numba=numba.__version__,
            llvmlite=llvmlite.__version__,
            llvm=".".join(map(str, llvm_version_info)),
            numpy=np.__version__,
            python=sys.version,
            triple=triple,
            processor=processor,
            features=features,
            modelled=",".join(sorted(instructions.MODELLED)),
            matrix=str(instructions.MATRIX),
            settings=" ".join(f"{name}={getattr(config, name, None)}" for name in _SETTINGS),
        )


@cache
def key(sources: str, toolchain: Toolchain) -> str:
    """Return what kernels are kept by: 32 hexadecimal digits."""
    joined = hashlib.sha256(sources.encode())
    for field in fields(toolchain):
        joined.update(f"\0{field.name}={getattr(toolchain, field.name)}".encode())
    return joined.hexdigest()[:32]


def compiled(function: Callable[..., Any], sources: str | None, options: dict[str, Any]) -> Any:
    """Return Numba's dispatcher of a function.

    Args:
        function: the function.
        sources: digest of what it is built from; None: it is not kept.
        options: of ``numba.njit``.
    """
    made: Any = numba.njit(**options)(function)
    # With NUMBA_DISABLE_JIT=1 it is the function itself.
    if is_jitted(made):
        made._cache = KernelCache(function, sources)  # noqa: SLF001 - there is no public way
    return made


class KernelCache:
    """The kernels of one function; Numba's dispatcher of it calls these methods.

    ``load_overload`` comes before it compiles and ``save_overload`` after it, both under its lock.
    """

    def __init__(self, function: Callable[..., Any], sources: str | None) -> None:
        self._module, self._sources = function.__module__, sources
        self._name = f"{function.__module__}.{function.__qualname__}"
        plain = function.__qualname__.replace("<locals>.", "")
        self._file_name = f"{plain}-{function.__code__.co_firstlineno}"
        self._begun: dict[Any, float] = {}
        self._enabled = sources is not None

    @property
    def cache_path(self) -> str:
        """The folder of all kernels."""
        return str(store.place())

    def enable(self) -> None:
        """Keep kernels, if there are sources to keep them by."""
        self._enabled = self._sources is not None

    def disable(self) -> None:
        """Keep no kernels."""
        self._enabled = False

    def flush(self) -> None:
        """Forget what is kept of this function: it is about to be compiled anew."""
        folder = self._folder(cpu_target.target_context.codegen())
        for path in folder.glob(f"{self._file_name}.*") if folder else ():
            with suppress(OSError):
                path.unlink()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled kernel of a signature, None if it is not kept."""
        begun = time.perf_counter()
        found = self._load(sig, target_context) if self._enabled else None
        if observed():
            if found is None:
                self._begun[sig] = begun
                self._tell(sig, "compiling", 0.0)
            else:
                self._tell(sig, "loaded", time.perf_counter() - begun)
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a kernel that was just compiled."""
        if self._enabled:
            self._save(sig, data)
        begun = self._begun.pop(sig, None)
        if begun is not None:
            self._tell(sig, "compiled", time.perf_counter() - begun)

    def _tell(self, sig: Any, state: State, seconds: float) -> None:
        args, _ = normalize_signature(sig)
        tell(Event(self._name, f"({', '.join(map(str, args))})", state, seconds))

    def _folder(self, codegen: Any) -> Path | None:
        if self._sources is None:
            return None
        if not SUPPORTED:
            store.warn("Numba", f"{numba.__version__} lacks the parts that keeping takes")
            return None
        return store.find(self._module, key(self._sources, Toolchain.of(codegen)))

    def _file(self, sig: Any, folder: Path) -> tuple[Any, Any]:
        """Return the kernel's file, and what it is called in its index."""
        wanted = normalize_signature(sig)
        short = hashlib.sha256(repr(wanted).encode()).hexdigest()[:16]
        return IndexDataCacheFile(str(folder), f"{self._file_name}.{short}", folder.name), wanted

    def _load(self, sig: Any, target_context: Any) -> Any:
        # It may not have been set up yet.
        target_context.refresh()
        folder = self._folder(target_context.codegen())
        if folder is None:
            return None
        file, wanted = self._file(sig, folder)
        try:
            payload = file.load(wanted)
            if payload is None:
                return None
            return CompileResult._rebuild(target_context, *payload)  # noqa: SLF001 - as Numba's own
        except Exception:  # a damaged file can raise anything; it is made anew
            with suppress(OSError):
                file.flush()
            return None

    def _save(self, sig: Any, data: Any) -> None:
        if data.library.has_dynamic_globals or any(not code.can_cache for code in data.lifted):
            warnings.warn(
                f"{self._name} cannot be kept: it holds addresses of this process, of large arrays "
                "or ctypes functions among its globals",
                store.KernelsNotKeptWarning,
                stacklevel=2,
            )
            return
        folder = self._folder(data.codegen)
        if folder is None:
            return
        file, wanted = self._file(sig, folder)
        payload = data._reduce()  # noqa: SLF001 - as Numba's own cache
        for last in (False, True):
            try:
                store.make(folder)
                file.save(wanted, payload)
            except FileNotFoundError as error:  # another process made room meanwhile
                if last:
                    store.warn_error(folder, error)
            except OSError as error:
                store.warn_error(folder, error)
                return
            else:
                return
