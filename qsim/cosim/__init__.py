"""Co-verification: golden vectors through RTL on Icarus and Verilator, compared to the bit.

report = qsim.cosim.run("golden/net", simulator="verilator")
report.ok, report.mismatches, report.calls
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qsim.cosim.report import CallResult, Report, Skipped
    from qsim.cosim.runner import Settings, run_cases
    from qsim.cosim.start import run

__all__ = ["CallResult", "Report", "Settings", "Skipped", "run", "run_cases"]

_HOMES: Final = {
    "CallResult": "report",
    "Report": "report",
    "Settings": "runner",
    "Skipped": "report",
    "run": "start",
    "run_cases": "runner",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'qsim.cosim' has no attribute {name!r}")
    value: object = getattr(import_module(f"qsim.cosim.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
