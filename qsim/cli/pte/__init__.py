"""The commands on ExecuTorch files: ``.pte``, and bundled programs, ``.bpte``.

Each is loaded when it is asked for: what one of them needs, the others need not wait for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from qsim.cli.pte.compiling import PteOptions as PteOptions
    from qsim.cli.pte.compiling import compile_pte as compile_pte
    from qsim.cli.pte.inspecting import inspect_pte as inspect_pte
    from qsim.cli.pte.running import run_pte as run_pte

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "compiling": ["PteOptions", "compile_pte"],
        "inspecting": ["inspect_pte"],
        "running": ["run_pte"],
    },
)
