"""The cocotb lane of ``qsim cosim``: one job, played as its description says."""

from __future__ import annotations

import json
from typing import Any

import cocotb

from rtl_tb.tb import session
from rtl_tb.tb.bench import Bench


@cocotb.test()
async def play(top: Any) -> None:
    """Write what the run found; a difference is a result, not a failure."""
    told = session.description()
    bench = Bench(
        session.ports(top),
        told.job,
        told.stimulus,
        told.limit,
        compare_last=told.compare_last,
        first_reset=told.first_reset,
    )
    outcome = await bench.run(told.window)
    session.write_results(outcome)
    session.write("events.json", json.dumps(outcome.events))
