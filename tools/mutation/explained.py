"""Survivors that no run can tell and no proof covers, each with the reason.

The key is the module and the whole change in yosys' words, source line and column included: an edit
of the module makes another key, and its survivor counts as one again until somebody looks. An
explanation that no survivor needs is told, and fails the run (of the default count and seed).
"""

from __future__ import annotations

from typing import Final

EXPLAINED: Final = {
    "lookup": {
        "-mode const1 -module mutant -cell $logic_and$0_lookup.sv:42$25 -port B -portbit 0"
        " -src 0_lookup.sv:42.9-42.39": (
            "a load is written while it still waits for tready, and again when it is taken; only a"
            " sender that takes a waiting beat back could tell, which AXI-Stream forbids"
            " outside reset"
        ),
    },
    "move": {
        "-mode const0 -module mutant -cell $procmux$350 -port A -portbit 13"
        " -src 2_move.sv:134.11-134.19 -src 2_move.sv:134.7-137.10": (
            "a bit of an index that is held while no index is counted: START sets all of it to 0"
            " before it counts again"
        ),
    },
}
