"""The decorators of compiled functions: nothing here is compiled by ``numba.njit`` alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hw_models.compiled.adapter import compiled
from hw_models.compiled.sources import digest

if TYPE_CHECKING:
    from collections.abc import Callable


def kernel(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Compile a function at its first call, or load what an earlier process kept of it.

    It is kept by the sources that its module can reach, by the versions of Numba, LLVM, NumPy and
    Python, and by the processor: after a change of any of them it is compiled again.

    Args:
        function: a function of a module; it holds no variables of another function.
        **options: of ``numba.njit``: ``nogil``, ``inline``.

    Raises:
        TypeError: the function is a closure, or ``cache`` is among the options.
    """
    _check(options)
    if function is None:
        return lambda given: kernel(given, **options)
    if function.__closure__:
        raise TypeError(
            f"{function.__qualname__} holds variables of another function, which no digest of "
            "sources sees: a kernel takes them as arguments"
        )
    return compiled(function, digest(function.__module__), options)


def part(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Compile a function into the kernels that call it, and keep it in no file of its own.

    Args:
        function: a function that kernels call.
        **options: of ``numba.njit``: ``inline``.

    Raises:
        TypeError: ``cache`` is among the options.
    """
    _check(options)
    if function is None:
        return lambda given: part(given, **options)
    return compiled(function, None, options)


def _check(options: dict[str, Any]) -> None:
    if "cache" in options:
        raise TypeError("cache is no option of a kernel: kernel() keeps it, part() does not")
