"""The commands on ExecuTorch files: ``.pte``, and bundled programs, ``.bpte``.

Each is loaded when it is asked for: what one of them needs, the others need not wait for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qsim import lazy

if TYPE_CHECKING:
    from qsim.cli.pte.compiling import PteOptions, compile_pte
    from qsim.cli.pte.inspecting import inspect_pte
    from qsim.cli.pte.running import run_pte

__all__ = ["PteOptions", "compile_pte", "inspect_pte", "run_pte"]

_HOMES: Final = {
    "PteOptions": "qsim.cli.pte.compiling",
    "compile_pte": "qsim.cli.pte.compiling",
    "inspect_pte": "qsim.cli.pte.inspecting",
    "run_pte": "qsim.cli.pte.running",
}
__getattr__ = lazy.getter(__name__, _HOMES)
