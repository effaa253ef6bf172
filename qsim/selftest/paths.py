"""The kinds of processors that kernels are chosen for, and how each is had on this one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

How = Literal["chosen by this processor", "run by this processor", "by a model of its instructions"]

_AVX2: Final = frozenset({"avx2", "fma"})
_AVX512: Final = _AVX2 | {"avx512f", "avx512bw"}
# Name, what kernels are chosen by, and LLVM's name of a processor that has just that.
_VNNI: Final = _AVX512 | {"avx512vnni"}
_KINDS: Final = (
    ("amx", _VNNI | {"amx-tile", "amx-int8"}, "sapphirerapids"),
    ("avx512-vnni", _VNNI, "x86-64-v4"),
    ("avx512", _AVX512, "x86-64-v4"),
    ("avx2", _AVX2, "x86-64-v3"),
    ("plain", frozenset[str](), "generic"),
)


@dataclass(frozen=True, slots=True)
class Path:
    """Kernels as one kind of processor chooses them.

    Attributes:
        name: ``amx``, ``avx512-vnni``, ``avx512``, ``avx2`` or ``plain``.
        how: ``chosen by this processor``: in every run here; ``run by this processor``: it has
            these instructions and better ones; ``by a model of its instructions``: it lacks them.
        environment: what a process is started with to choose them.
    """

    name: str
    how: How
    environment: Mapping[str, str]

    @property
    def ran(self) -> bool:
        """Whether the instructions themselves ran here."""
        return self.how != "by a model of its instructions"


def paths() -> tuple[Path, ...]:
    """Return every path, the one that this processor chooses among them."""
    from hw_models.compiled.instructions import FEATURES

    own = next(name for name, needed, _ in _KINDS if needed <= FEATURES)
    return tuple(_path(name, needed, model, own, FEATURES) for name, needed, model in _KINDS)


def _path(
    name: str, needed: frozenset[str], processor: str, own: str, features: frozenset[str]
) -> Path:
    if name == own:
        return Path(name, "chosen by this processor", {})
    if needed <= features:
        asked = ",".join(f"+{feature}" for feature in sorted(needed))
        forced = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": asked}
        return Path(name, "run by this processor", forced)
    modelled = {"QSIM_MODELLED": ",".join(sorted(needed - features))}
    return Path(name, "by a model of its instructions", modelled)
