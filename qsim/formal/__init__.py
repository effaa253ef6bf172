"""Proofs: RTL cores against the Python definitions, for all inputs, with yosys and z3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from qsim.formal.clocked import Clocked as Clocked
    from qsim.formal.clocked import read_clocked as read_clocked
    from qsim.formal.cut import products as products
    from qsim.formal.goal import Verdict as Verdict
    from qsim.formal.induction import induct as induct
    from qsim.formal.induction import machine as machine
    from qsim.formal.provable import IN_PARTS as IN_PARTS
    from qsim.formal.provable import PROVABLE as PROVABLE
    from qsim.formal.provable import Provable as Provable
    from qsim.formal.provable import parts_of as parts_of
    from qsim.formal.provable import tasks as tasks
    from qsim.formal.replaying import AS_EXPECTED as AS_EXPECTED
    from qsim.formal.replaying import replay as replay
    from qsim.formal.replaying import replay_design as replay_design
    from qsim.formal.report import Result as Result
    from qsim.formal.report import document as document
    from qsim.formal.report import facts_of as facts_of
    from qsim.formal.report import layers_of as layers_of
    from qsim.formal.report import text as text
    from qsim.formal.report import verdict_of as verdict_of
    from qsim.formal.run import Task as Task
    from qsim.formal.run import prove as prove
    from qsim.formal.undefined import undefined_as_x as undefined_as_x

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "clocked": ["Clocked", "read_clocked"],
        "cut": ["products"],
        "goal": ["Verdict"],
        "induction": ["induct", "machine"],
        "provable": ["IN_PARTS", "PROVABLE", "Provable", "parts_of", "tasks"],
        "replaying": ["AS_EXPECTED", "replay", "replay_design"],
        "report": ["Result", "document", "facts_of", "layers_of", "text", "verdict_of"],
        "run": ["Task", "prove"],
        "undefined": ["undefined_as_x"],
    },
)
