"""Co-verification: golden vectors through RTL on Icarus and Verilator, compared to the bit.

report = qsim.cosim.run("golden/net", simulator="verilator")
report.ok, report.mismatches, report.calls

Four packages below have facades of their own: ``jobs`` (beats of a call), ``simulators`` (builds),
``lanes`` (benches), ``dut`` (RTL that is not the repository's).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from qsim.cosim.coverage import Coverage as Coverage
    from qsim.cosim.hexfiles import Exported as Exported
    from qsim.cosim.hexfiles import export_hex as export_hex
    from qsim.cosim.report import CallResult as CallResult
    from qsim.cosim.report import Report as Report
    from qsim.cosim.report import Skipped as Skipped
    from qsim.cosim.runner import Progress as Progress
    from qsim.cosim.runner import Settings as Settings
    from qsim.cosim.runner import run_cases as run_cases
    from qsim.cosim.start import run as run
    from qsim.cosim.start import with_dut as with_dut

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "coverage": ["Coverage"],
        "hexfiles": ["Exported", "export_hex"],
        "report": ["CallResult", "Report", "Skipped"],
        "runner": ["Progress", "Settings", "run_cases"],
        "start": ["run", "with_dut"],
    },
)
