"""Co-verification: golden vectors through RTL on Icarus and Verilator, compared to the bit.

report = qsim.cosim.run("golden/net", simulator="verilator")
report.ok, report.mismatches, report.calls

Five packages below have facades of their own: ``jobs`` (beats of a call), ``simulators`` (builds),
``lanes`` (benches), ``dut`` (RTL that is not the repository's), ``explaining`` (why a result is
wrong).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from qsim.cosim.beat_fields import Fields as Fields
    from qsim.cosim.beat_fields import fields as fields
    from qsim.cosim.choosing import chosen as chosen
    from qsim.cosim.coverage import Coverage as Coverage
    from qsim.cosim.explaining import Explanation as Explanation
    from qsim.cosim.hexfiles import Exported as Exported
    from qsim.cosim.hexfiles import export_hex as export_hex
    from qsim.cosim.report import CallResult as CallResult
    from qsim.cosim.report import LeftOut as LeftOut
    from qsim.cosim.report import Report as Report
    from qsim.cosim.report import Skipped as Skipped
    from qsim.cosim.runner import Progress as Progress
    from qsim.cosim.runner import Settings as Settings
    from qsim.cosim.runner import run_cases as run_cases
    from qsim.cosim.start import blocks as blocks
    from qsim.cosim.start import run as run
    from qsim.cosim.start import with_dut as with_dut

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "beat_fields": ["Fields", "fields"],
        "explaining": ["Explanation"],
        "choosing": ["chosen"],
        "coverage": ["Coverage"],
        "hexfiles": ["Exported", "export_hex"],
        "report": ["CallResult", "LeftOut", "Report", "Skipped"],
        "runner": ["Progress", "Settings", "run_cases"],
        "start": ["blocks", "run", "with_dut"],
    },
)
