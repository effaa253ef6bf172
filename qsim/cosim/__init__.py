"""Co-verification: golden vectors through RTL on Icarus and Verilator, compared to the bit.

report = qsim.cosim.run("golden/net", simulator="verilator")
report.ok, report.mismatches, report.calls

Four packages below have facades of their own: ``jobs`` (beats of a call), ``simulators`` (builds),
``lanes`` (benches), ``dut`` (RTL that is not the repository's).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qsim.cosim.hexfiles import Exported, export_hex
    from qsim.cosim.report import CallResult, Report, Skipped
    from qsim.cosim.runner import Progress, Settings, run_cases
    from qsim.cosim.start import run, with_dut

__all__ = [
    "CallResult",
    "Exported",
    "Progress",
    "Report",
    "Settings",
    "Skipped",
    "export_hex",
    "run",
    "run_cases",
    "with_dut",
]

_HOMES: Final = {
    "CallResult": "report",
    "Exported": "hexfiles",
    "Progress": "runner",
    "Report": "report",
    "Settings": "runner",
    "Skipped": "report",
    "export_hex": "hexfiles",
    "run": "start",
    "run_cases": "runner",
    "with_dut": "start",
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
